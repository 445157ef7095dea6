"""Marks of things and stuff in class names: ``stuff: grass``, ``thing: cat``."""

import re

_MARK = re.compile(r"\s*(stuff|things?)\s*:\s*", re.IGNORECASE)


def split_mark(text: str) -> tuple[str, bool | None]:
    """Return the names of a class without its mark, and True for a thing, False for stuff, None without a mark.

    Args:
        text: such as ``stuff: grass,lawn``.
    """
    match = _MARK.match(text)
    if match is None:
        return text, None
    return text[match.end() :], match[1].lower() != "stuff"
