"""Weights of a CLIP with the rows of its token embedding that its training used, and names outside of them.

A CLIP that is trained on few words uses few of the 49 408 tokens of CLIP's tokenizer; the rows of the others have no
meaning, but fill most of a small model's file. The file then has the used rows and their token ids, and the model in
memory is the usual one, with zeros in all other rows.

Letters: V vocabulary size of the tokenizer, K used tokens, w width of the text tower.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from frozenseg.log import get_logger, warn_once
from frozenseg.modeling.clip.base import Tokenizer
from frozenseg.vocabulary import Vocabulary
from frozenseg.vocabulary.name_checks import shown_examples

logger = get_logger(__name__)
ROWS, IDS = "token_embedding.weight", "token_embedding.ids"


def keep_token_rows(weights: Mapping[str, Tensor], ids: Tensor) -> dict[str, Tensor]:
    """Return the weights of a CLIP with some rows of its token embedding only.

    Args:
        weights: state dict of an ``open_clip.CLIP``.
        ids: (K,) int64 token ids, rising.
    """
    return {**weights, ROWS: weights[ROWS][ids].contiguous(), IDS: ids}


def load_token_rows(clip_model: Any, few: Mapping[str, Tensor]) -> None:
    """Load weights of :func:`keep_token_rows` into an ``open_clip.CLIP``.

    Raises:
        RuntimeError: they are of another architecture.
    """
    weights = dict(few)
    ids, rows = weights.pop(IDS), weights[ROWS]
    embedding = clip_model.token_embedding.weight  # (V, w)
    if rows.shape != (len(ids), embedding.shape[1]) or not 0 <= int(ids.min()) <= int(ids.max()) < len(embedding):
        raise RuntimeError(
            f"Error(s) in loading\n{ROWS} has the shape {tuple(rows.shape)} for {len(ids)} tokens, expected rows of "
            f"{embedding.shape[1]} values for ids below {len(embedding)}"
        )
    weights[ROWS] = rows.new_zeros(embedding.shape).index_copy_(0, ids, rows)
    clip_model.load_state_dict(weights)


def warn_of_unknown_names(clip_model: Any, tokenizer: Tokenizer, vocabulary: Vocabulary) -> None:
    """Log one warning with the names that have a token without weights; once for the same names.

    Args:
        clip_model: an ``open_clip.CLIP``.
        tokenizer: of its text tower.
        vocabulary: class names.
    """
    unknown = unknown_names(clip_model, tokenizer, vocabulary.synonyms)
    if unknown:
        warn_once(
            logger,
            "This CLIP was trained on few words and has no weights for %d of %d names, %s: it treats all other words "
            "alike. Use another CLIP for them.",
            len(unknown),
            len(vocabulary.synonyms),
            shown_examples(unknown),
        )


def unknown_names(clip_model: Any, tokenizer: Tokenizer, names: tuple[str, ...]) -> list[str]:
    """Return the names with a token whose row is zero, as it is after :func:`load_token_rows`."""
    is_unknown = ~clip_model.token_embedding.weight.any(dim=1)  # (V,)
    unique = list(dict.fromkeys(names))
    tokens = tokenizer(unique).to(is_unknown.device)  # (N, T)
    is_read = torch.arange(tokens.shape[1], device=tokens.device) <= tokens.argmax(dim=1, keepdim=True)
    flags = (is_unknown[tokens] & is_read).any(dim=1).tolist()
    return [name for name, flag in zip(unique, flags, strict=True) if flag]
