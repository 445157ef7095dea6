"""Queries whose masks have another pixel inside because of rounding; they are compared apart.

A mask has the pixels inside whose logits are above 0. A logit within rounding of 0 may be on either side. With one
pixel of a small mask the features change that are pooled under it, and so does the mask of the next layer. Random
weights have many such masks.

Letters: B images, Q queries.
"""

import numpy as np
import torch

from frozenseg.modeling.layers.mask_pooling import binary_masks

NEGLIGIBLE = 1e-4  # share of the pixels of a mask that may be on the other side
MOST_TIED = 0.1  # share of the queries that may have ties, in masks that agree
OF_QUERIES = (
    "masks",
    "query_embeddings",
    "clip_embeddings",
    "decoder_logits",
    "clip_logits",
    "class_probabilities",
    "semantic_probabilities",
)  # stages (B, Q, …) that change with a tie of the query


def tied_queries(masks: np.ndarray, expected: np.ndarray, pooled_size: tuple[int, int]) -> np.ndarray:
    """Return True for the queries whose masks differ in pixels that matter to pooling, (B, Q) bool.

    Args:
        masks: (B, Q, H/4, W/4) logits of the file.
        expected: those of the model.
        pooled_size: height and width of CLIP's features; the decoder pools at the size of the masks.
    """
    both = [torch.from_numpy(each.astype(np.float32)) for each in (masks, expected)]
    tied = torch.zeros(masks.shape[:2], dtype=torch.bool)
    for size in (masks.shape[-2:], pooled_size):
        ours, theirs = (binary_masks(each, torch.Size(size)) for each in both)  # (B, Q, h, w)
        tied |= (ours ^ theirs).sum(dim=(2, 3)) > NEGLIGIBLE * theirs.sum(dim=(2, 3))
    return tied.numpy()
