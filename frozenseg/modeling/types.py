"""What flows between the boxes of the model.

Letters: B images, Q queries, C classes, N text rows (all synonyms of all classes), H×W the padded input, d width,
E the width of CLIP's joint space. All tensors are floating point unless said otherwise.
"""

from typing import NamedTuple

from torch import Generator, Tensor


class ClipFeatures(NamedTuple):
    """Maps of the frozen CLIP image trunk; channels as the trunk has them."""

    res2: Tensor  # (B, c2, H/4, W/4)
    res3: Tensor  # (B, c3, H/8, W/8)
    res4: Tensor  # (B, c4, H/16, W/16)
    res5: Tensor  # (B, c5, H/32, W/32)
    dense: Tensor  # (B, c5, H/32, W/32): res5 as CLIP pools it


class TextEmbeddings(NamedTuple):
    """The text classifier: one L2-normalised row a synonym, and the learned void row last."""

    embeddings: Tensor  # (N + 1, E)
    class_index: Tensor  # (N + 1,) int64 in 0 … C, ascending, C for void
    classes: int  # C + 1


class PixelFeatures(NamedTuple):
    """What the pixel decoder gives to the transformer decoder."""

    mask_features: Tensor  # (B, d, H/4, W/4)
    scales: tuple[Tensor, ...]  # (B, d, H/32, W/32), (B, d, H/16, W/16), (B, d, H/8, W/8)
    sam_map: Tensor | None  # (B, d, h, w): SAM's embedding, decoded; None without SAM


class Prediction(NamedTuple):
    """One prediction of all queries."""

    logits: Tensor  # (B, Q, C + 1), void last
    masks: Tensor  # (B, Q, H/4, W/4) logits


class MaskPredictions(NamedTuple):
    """The last prediction, and those from the initial queries and the layers before (in that order)."""

    final: Prediction
    intermediate: tuple[Prediction, ...]


class Target(NamedTuple):
    """The ground truth of one image."""

    labels: Tensor  # (n,) int64 in 0 … C - 1
    masks: Tensor  # (n, H, W) bool, padded like the input
    generator: Generator | None = None  # draws the points to compare at; None: the global one of the process
