"""Sentences that describe views, and the views of which a sentence is true.

A thing is named by its whole name ("striped red circle") or by one of its words ("circle", "red thing"). Sentences with
one word teach the appearance of that word.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from frozenseg.modeling.clip.base import Tokenizer
from frozenseg.toyworld.categories import COLOURS, PATTERNS, SHAPES, Category, wide_categories
from frozenseg.vocabulary import TEMPLATES

PLAIN = "plain"  # pattern word of a thing without pattern
WHOLE = "whole"
PARTS = (WHOLE, "shape", "colour", "pattern")  # parts of a thing's name that a sentence can use
BARE = 0.5  # share of sentences without a template
MAX_NAMES = 4  # per sentence
ALTERNATIVES = {"pattern": ("", *PATTERNS), "colour": tuple(COLOURS), "shape": SHAPES}
CHANGED = (0.2, 0.2, 0.6)  # shares of patterns, colours and shapes among changed words; shapes are hardest to learn
WordSet = frozenset[str]


class Sentence(NamedTuple):
    """A sentence with the words of each thing or material in it."""

    text: str
    word_sets: tuple[WordSet, ...]


def describe(rng: np.random.Generator, visible: Sequence[Category], part: str = WHOLE) -> Sentence:
    """Return a random sentence for a view: its names alone or in one of CLIP's prompt templates.

    Args:
        rng: random generator of the step.
        visible: things and materials of a view; several are named in random order.
        part: one of ``PARTS``, the part of the name of a single thing that is used.
    """
    template = "{}" if rng.random() < BARE else TEMPLATES[rng.integers(len(TEMPLATES))]
    if part != WHOLE and len(visible) == 1 and visible[0].isthing:
        word = visible[0].parts[part] or PLAIN
        return Sentence(template.format(word if part == "shape" else f"{word} thing"), (frozenset([word]),))
    chosen = [visible[index] for index in rng.permutation(len(visible))[:MAX_NAMES]]
    names = [category.names[rng.integers(len(category.names))] for category in chosen]
    return Sentence(template.format(" and a ".join(names)), tuple(words_of(category) for category in chosen))


def tokens_of_sentences(tokenizer: Tokenizer) -> Tensor:
    """Return the token ids that can occur in sentences, those of the start, the end and the padding too.

    Args:
        tokenizer: of CLIP's text tower.

    Returns:
        (K,) int64, rising.
    """
    names = {name for category in wide_categories() for name in category.names}
    texts = [template.format(name) for template in ("{}", *TEMPLATES) for name in (*names, PLAIN, "thing and a thing")]
    ids: Tensor = torch.unique(tokenizer(texts))
    return ids


def with_one_word_changed(rng: np.random.Generator, thing: Category) -> Category:
    """Return a thing that differs in one random part: colour, pattern or shape."""
    part, alternatives = list(ALTERNATIVES.items())[rng.choice(len(ALTERNATIVES), p=CHANGED)]
    others = [word for word in alternatives if word != thing.parts[part]]
    parts = {**thing.parts, part: others[rng.integers(len(others))]}
    return _things()[frozenset(parts.items())]


@cache
def _things() -> dict[frozenset[tuple[str, str]], Category]:
    return {frozenset(category.parts.items()): category for category in wide_categories() if category.isthing}


def words_of(category: Category) -> WordSet:
    """Return the words of a thing, with ``plain`` for a thing without pattern, or of a material."""
    return frozenset(word or PLAIN for word in category.parts.values())


def true_of(visible: Sequence[Sequence[Category]], sentences: Sequence[Sentence]) -> Tensor:
    """Return True for each view and sentence (views, sentences) if the view has all things of the sentence."""
    views = [tuple(words_of(category) for category in categories) for categories in visible]
    unique_views = list(dict.fromkeys(views))
    unique_contents = list(dict.fromkeys(sentence.word_sets for sentence in sentences))
    table = torch.tensor([[_contains_all(view, content) for content in unique_contents] for view in unique_views])
    rows = torch.tensor([unique_views.index(view) for view in views])
    columns = torch.tensor([unique_contents.index(sentence.word_sets) for sentence in sentences])
    return table[rows][:, columns]


def _contains_all(view: Sequence[WordSet], content: Sequence[WordSet]) -> bool:
    """Return True if each thing or material of a sentence is in the view."""
    return all(any(named <= thing for thing in view) for named in content)
