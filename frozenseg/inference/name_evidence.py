"""Evidence of thousands of names in one image: CLIP's in parts of the whole image, and that of its masks.

Both rank the names. Training has seen few of them, and the decoder prefers those; all names therefore count as unseen.

Letters: Q queries, C names, T tiles, h×w CLIP's feature map, E the width of CLIP's joint space.
"""

from dataclasses import replace

import torch
from torch import Tensor

from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.meta_arch.embedded_images import EmbeddedImages

TILES = 16  # largest number of tiles along a side of the image


def name_evidence(
    model: MaskClassifier, embedded: EmbeddedImages, settings: InferenceSettings, image_weight: float
) -> Tensor:
    """Return the evidence of every name in every mask, (Q, C) probabilities: p(name | mask) · p(name | image)^weight.

    Args:
        model: that has embedded the image.
        embedded: a single image.
        settings: with all names.
        image_weight: exponent of the evidence of the whole image; 0 ranks names by the masks alone.
    """
    unseen = replace(settings, seen=(False,) * len(settings.vocabulary))
    scores = model.class_scores(embedded, unseen).objects[0]  # (Q, C + 1), void last
    in_image = image_evidence(model, embedded, settings)  # (C,)
    is_object = 1 - scores[:, -1:].exp()  # (Q, 1)
    not_empty = (embedded.masks[0] > 0).flatten(1).any(dim=1, keepdim=True)  # (Q, 1)
    return (scores[:, :-1] + image_weight * in_image.log()).softmax(dim=-1) * is_object * not_empty


def image_evidence(model: MaskClassifier, embedded: EmbeddedImages, settings: InferenceSettings) -> Tensor:
    """Return the evidence of every name in the whole image: its probability in the tile where it is likeliest, (C,).

    A tile is a cell of CLIP's feature map, or several in a large image: objects are too small to be named by the mean
    of the image.

    Args:
        model: that has embedded the image.
        embedded: a single image.
        settings: with all names.
    """
    text = model.text_embeddings(settings)
    tiles = tile_masks(*embedded.dense.shape[-2:]).to(embedded.dense)  # (T, h, w)
    embeddings = model.backbone.project(embedded.dense, tiles[None])  # (1, T, E)
    logits = class_logits(embeddings, text, model.backbone.logit_scale)[0, :, :-1]  # (T, C)
    return logits.softmax(dim=-1).amax(dim=0)


def tile_masks(height: int, width: int) -> Tensor:
    """Return the tiles of a feature map as mask logits (T, height, width), 1 inside and -1 outside."""
    rows = torch.arange(height) * min(height, TILES) // height
    columns = torch.arange(width) * min(width, TILES) // width
    tile = rows[:, None] * (int(columns[-1]) + 1) + columns  # (height, width), from 0
    inside = tile == torch.arange(int(tile[-1, -1]) + 1)[:, None, None]
    return inside.float() * 2 - 1


def names_with_evidence(evidence: Tensor, min_evidence: float, max_names: int) -> Tensor:
    """Return the best name of each mask where it has enough evidence, the first ones of their ranking.

    Args:
        evidence: (Q, C) of every name in every mask, 0-1.
        min_evidence: evidence from which a name is used; the single best one is used if none has enough.
        max_names: number of names at most.

    Returns:
        (K,) int64 indices of names, ascending.
    """
    of_mask, best = evidence.max(dim=-1)  # (Q,), (Q,)
    order = of_mask.argsort(descending=True, stable=True)
    likely = best[order[of_mask[order] >= min_evidence]]
    chosen = likely if len(likely) else best[order[:1]]
    ranking = torch.tensor(list(dict.fromkeys(chosen.tolist())), device=evidence.device)
    return ranking[:max_names].sort().values
