"""From embeddings to class logits: cosine with every name, the best name of each class, void last."""

import torch.nn.functional as F
from torch import Tensor

from frozenseg.modeling.types import TextEmbeddings

MAX_LOGIT_SCALE = 100.0


def class_logits(embeddings: Tensor, words: TextEmbeddings, logit_scale: Tensor) -> Tensor:
    """Classify embeddings by words (CLIP, Radford et al. 2021; max over the synonyms of a class).

    Args:
        embeddings: (…, E).
        words: N + 1 normalised rows and the class of each.
        logit_scale: scalar, logarithm of the temperature's inverse; its exponential is capped at 100.

    Returns:
        (…, C + 1) logits, void last.
    """
    scale = logit_scale.exp().clamp(max=MAX_LOGIT_SCALE)
    logits = scale * F.normalize(embeddings, dim=-1) @ words.embeddings.T  # (…, N + 1)
    return max_over_synonyms(logits, words.class_index, words.classes)


def max_over_synonyms(logits: Tensor, class_index: Tensor, classes: int) -> Tensor:
    """Reduce one logit a row to one a class.

    Args:
        logits: (…, N + 1).
        class_index: (N + 1,) int64, ascending from 0; each class has at least one row.
        classes: C + 1.

    Returns:
        (…, C + 1).
    """
    if classes == len(class_index):
        return logits
    index = class_index.expand_as(logits)
    empty = logits.new_full((*logits.shape[:-1], classes), float("-inf"))
    return empty.scatter_reduce(-1, index, logits, reduce="amax")
