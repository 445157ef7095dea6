"""Is it the released model? Deterministic weights, the reference's numbers, and where ours differ.

A *golden* is a case that the reference has computed: a JSON file that describes it and an NPZ file with its arrays.
Weights follow from their names (``fill.py``) and inputs from seeds (``inputs.py``), so nothing has to be shipped.
"""
