"""Sentences about what a view shows, and which views a sentence is true of.

A thing is called by its whole name ("striped red circle"), or by one of its words alone ("circle", "red thing"), as
people do: sentences about one word say what that word looks like.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from frozenseg.toyworld.categories import COLOURS, PATTERNS, SHAPES, Category, wide_categories
from frozenseg.vocabulary import TEMPLATES

PLAIN = "plain"  # the pattern of a thing that has none
WHOLE = "whole"
PARTS = (WHOLE, "shape", "colour", "pattern")  # what a single thing can be called by
BARE = 0.5  # share of sentences that are the name alone
MOST_NAMES = 4  # in one sentence
ALTERNATIVES = {"pattern": ("", *PATTERNS), "colour": tuple(COLOURS), "shape": SHAPES}
CHANGED = (0.2, 0.2, 0.6)  # shares of patterns, colours and shapes among words that are changed: shapes are hardest
TextEmbeddings = frozenset[str]


class Sentence(NamedTuple):
    """A sentence, and what it says: the words of each thing or material that it speaks of."""

    text: str
    said: tuple[TextEmbeddings, ...]


def describe(rng: np.random.Generator, shown: Sequence[Category], part: str = WHOLE) -> Sentence:
    """Say what is shown, by name or in one of CLIP's usual sentences.

    Args:
        rng: the step's generator.
        shown: the things and materials of a view; several are named in any order.
        part: of ``PARTS``, what a single thing is called by.
    """
    template = "{}" if rng.random() < BARE else TEMPLATES[rng.integers(len(TEMPLATES))]
    if part != WHOLE and len(shown) == 1 and shown[0].isthing:
        word = shown[0].parts[part] or PLAIN
        return Sentence(template.format(word if part == "shape" else f"{word} thing"), (frozenset([word]),))
    chosen = [shown[place] for place in rng.permutation(len(shown))[:MOST_NAMES]]
    names = [category.names[rng.integers(len(category.names))] for category in chosen]
    return Sentence(template.format(" and a ".join(names)), tuple(words_of(category) for category in chosen))


def other_in_one_word(rng: np.random.Generator, thing: Category) -> Category:
    """Return a thing of another colour, or pattern, or shape, and otherwise the same."""
    part, words = list(ALTERNATIVES.items())[rng.choice(len(ALTERNATIVES), p=CHANGED)]
    others = [word for word in words if word != thing.parts[part]]
    parts = {**thing.parts, part: others[rng.integers(len(others))]}
    return _things()[frozenset(parts.items())]


@cache
def _things() -> dict[frozenset[tuple[str, str]], Category]:
    return {frozenset(category.parts.items()): category for category in wide_categories() if category.isthing}


def words_of(category: Category) -> TextEmbeddings:
    """Return the words of a thing, its pattern among them also where it is plain, or of a material."""
    return frozenset(word or PLAIN for word in category.parts.values())


def true_of(shown: Sequence[Sequence[Category]], sentences: Sequence[Sentence]) -> Tensor:
    """Return of which views each sentence is true, (views, sentences) bool: all that it speaks of is there."""
    views = [tuple(words_of(category) for category in categories) for categories in shown]
    unique_views, unique_said = list(dict.fromkeys(views)), list(dict.fromkeys(sentence.said for sentence in sentences))
    table = torch.tensor([[_all_there(said, view) for said in unique_said] for view in unique_views])
    rows = torch.tensor([unique_views.index(view) for view in views])
    columns = torch.tensor([unique_said.index(sentence.said) for sentence in sentences])
    return table[rows][:, columns]


def _all_there(said: Sequence[TextEmbeddings], view: Sequence[TextEmbeddings]) -> bool:
    return all(any(words <= thing for thing in view) for words in said)
