"""Comparison of the categories in an annotation file with the table of a known benchmark."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from frozenseg.data.metadata import Metadata
from frozenseg.errors import DataError
from frozenseg.vocabulary.names import letters_of

_SHOWN = 3  # differences in an error


def refuse_other_categories(metadata: Metadata, path: Path, categories: Any) -> None:
    """Check that the categories of a file are those of the benchmark that it is loaded as.

    Spellings are equal (``alarm_clock`` and ``alarm clock``), and so are synonyms of the table. Categories of the file
    without an id in the table are checked where objects use them.

    Args:
        metadata: of the data set; only those with ``category_names`` are checked.
        path: of the annotation file.
        categories: of the annotation file.

    Raises:
        DataError: ids have other names, as in another version of the benchmark.
    """
    if not metadata.category_names or not isinstance(categories, list):
        return
    index_of = {category_id: index for index, category_id in enumerate(metadata.category_ids)}
    listed = [
        (index_of[category["id"]], category)
        for category in categories
        if isinstance(category, dict) and isinstance(category.get("name"), str)
        if isinstance(category.get("id"), int) and category["id"] in index_of
    ]
    differences = [
        f"id {category['id']} is {category['name']!r}, expected {metadata.category_names[index]!r}"
        for index, category in listed
        if not set(_spellings(category["name"])) & _accepted(metadata, index)
    ]
    if differences:
        raise DataError(
            f"{path} is not of {metadata.name}: {len(differences)} of {len(listed)} categories have other names than "
            f"the benchmark: {'; '.join(differences[:_SHOWN])}{' …' if len(differences) > _SHOWN else ''}. "
            f"Use the file of this version of the benchmark; {metadata.prepare_command}."
        )


def _accepted(metadata: Metadata, index: int) -> set[str]:
    return {
        spelling
        for name in (metadata.category_names[index], *metadata.vocabulary.classes[index])
        for spelling in _spellings(name)
    }


def _spellings(name: str) -> Iterator[str]:
    """Yield the letters of a name, of its parts and of the last level of a hierarchy (``animal--bird``)."""
    for text in (name, name.rpartition("--")[2], *re.split(r"[,;]", name)):
        if letters := letters_of(text):
            yield letters
