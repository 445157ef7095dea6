"""Typed values that pass between the modules of the model.

Letters: B images, Q queries, C classes, N synonyms of all classes, H×W the padded input, c2 … c5 channels of the CLIP
trunk, d width of the decoders, E the width of CLIP's joint space. All tensors are floating point unless stated
otherwise.
"""

from typing import NamedTuple

from torch import Generator, Tensor


class ClipFeatures(NamedTuple):
    """Feature maps of the frozen CLIP image trunk."""

    res2: Tensor  # (B, c2, H/4, W/4)
    res3: Tensor  # (B, c3, H/8, W/8)
    res4: Tensor  # (B, c4, H/16, W/16)
    res5: Tensor  # (B, c5, H/32, W/32)
    dense: Tensor  # (B, c5, H/32, W/32), or finer: res5 in the form that CLIP pools


class TextEmbeddings(NamedTuple):
    """Text classifier: one L2-normalised embedding for each synonym, and the learned void embedding last."""

    embeddings: Tensor  # (N + 1, E)
    class_index: Tensor  # (N + 1,) int64 in 0 … C, ascending, C for void
    classes: int  # C + 1


class PixelFeatures(NamedTuple):
    """Output of the pixel decoder."""

    mask_features: Tensor  # (B, d, H/4, W/4)
    scales: tuple[Tensor, ...]  # (B, d, H/32, W/32), (B, d, H/16, W/16), (B, d, H/8, W/8)
    sam_map: Tensor | None  # (B, d, h, w): the decoded SAM embedding; None without SAM


class MaskFactors(NamedTuple):
    """Factors of mask logits: the logits of a query are the products of its embedding with the features of a pixel."""

    embeddings: Tensor  # (B, Q, d)
    features: Tensor  # (B, d, H/4, W/4)


class Prediction(NamedTuple):
    """Class and mask logits of all queries after one decoder layer."""

    logits: Tensor  # (B, Q, C + 1), void last
    masks: Tensor  # (B, Q, H/4, W/4) logits
    factors: MaskFactors | None = None  # of the masks, in training: gradients of few masks are cheaper through them


class QueryOutput(NamedTuple):
    """Predictions of all queries after one decoder layer that class names do not affect."""

    embeddings: Tensor  # (B, Q, E), in CLIP's joint space, not normalised
    masks: Tensor  # (B, Q, H/4, W/4) logits
    mask_embeddings: Tensor  # (B, Q, d), whose products with the mask features are the masks


class MaskPredictions(NamedTuple):
    """Predictions of the last decoder layer, and in training of the initial queries and the layers before, in order."""

    final: Prediction
    intermediate: tuple[Prediction, ...]  # empty in eval mode


class Target(NamedTuple):
    """Ground truth of one image."""

    labels: Tensor  # (n,) int64 in 0 … C - 1
    masks: Tensor  # (n, H, W) bool, padded like the input
    generator: Generator | None = None  # of the random points of the losses; None for the global one of the process
