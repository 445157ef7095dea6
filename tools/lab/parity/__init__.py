"""Parity: comparison of the model with recorded outputs of the reference implementation, stage by stage.

Weights follow from their names (``fill.py``) and inputs from seeds (``inputs.py``), so that no weights are stored.

Terms:
    golden: a recorded case: NAME.json with config values, vocabulary and inputs, and NAME.npz with the arrays that the
        reference computed.
    component: one module or function with its own inputs and outputs in a golden of components.
    stage: one compared array, such as a feature map, the class logits of a decoder layer, or a loss.
    noise floor: the largest difference between two runs of the reference; tolerances are multiples of it.
    tie: a decision within rounding of its threshold, such as a mask logit close to 0, so that equal models may decide
        differently.
    flipped pixel: a tied pixel that is moved to the other side of the threshold, the side of the reference.
    resolving ties: flipping the tied pixels that explain the difference to the reference, before later stages are
        compared. A difference without a tie that explains it stays a difference.
"""
