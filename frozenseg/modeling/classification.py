"""Open-vocabulary classification: cosine similarity with every synonym, maximum over the synonyms of a class.

Letters: E the width of CLIP's joint space, N synonyms of all classes, C classes.
"""

import torch.nn.functional as F
from torch import Tensor

from frozenseg.modeling.tracing import same_size
from frozenseg.modeling.types import TextEmbeddings
from frozenseg.structures.shapes import check_shape

MAX_LOGIT_SCALE = 100.0


def class_logits(embeddings: Tensor, text: TextEmbeddings, logit_scale: Tensor) -> Tensor:
    """Classify embeddings by text embeddings (CLIP, Radford et al. 2021; maximum over the synonyms of a class).

    Args:
        embeddings: (…, E).
        text: N + 1 normalised text embeddings and the class of each.
        logit_scale: scalar, logarithm of the inverse temperature; its exponential is capped at 100.

    Returns:
        (…, C + 1) logits, void last.

    Raises:
        ShapeError: the text embeddings are not of width E.
    """
    check_shape("text embeddings", text.embeddings, "N E", E=embeddings.shape[-1])
    scale = logit_scale.exp().clamp(max=MAX_LOGIT_SCALE)
    logits = scale * F.normalize(embeddings, dim=-1) @ text.embeddings.T  # (…, N + 1)
    return max_over_synonyms(logits, text.class_index, text.classes)


def max_over_synonyms(logits: Tensor, class_index: Tensor, classes: int) -> Tensor:
    """Reduce the logits of synonyms to one logit a class.

    Args:
        logits: (…, N + 1).
        class_index: (N + 1,) int64, the class of each logit, ascending from 0; each class has at least one.
        classes: C + 1.

    Returns:
        (…, C + 1).

    Raises:
        ShapeError: ``class_index`` has another length than the last axis of ``logits``.
    """
    check_shape("class_index", class_index, "N", N=logits.shape[-1])
    if same_size(classes, class_index.shape[0]):
        return logits
    index = class_index.expand_as(logits)
    empty = logits.new_full((*logits.shape[:-1], classes), float("-inf"))
    return empty.scatter_reduce(-1, index, logits, reduce="amax")
