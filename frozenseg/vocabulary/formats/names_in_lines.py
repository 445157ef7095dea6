"""Names of a class in a line of text: synonyms with commas, in quotes or not."""

import re

from frozenseg.vocabulary.formats.class_file import CLASS_LIST_ADVICE, ClassFile, shortened
from frozenseg.vocabulary.line import Synonyms, split_names

QUOTED = re.compile(r"\s*(\"[^\"]+\"|'[^']+')\s*,?\s*")
_FILE_NAME = re.compile(r".*\.(jpe?g|png|bmp|tiff?|webp|txt)", re.IGNORECASE)
_NO_NAME = re.compile(r"[\[\]{}<>=|\t;:#]")


def names_in_line(file: ClassFile, number: int, text: str) -> Synonyms:
    """Return the synonyms in a line, or those in quotes, which may have any other characters.

    Args:
        file: of the line.
        number: of the line.
        text: the line without the number of its class.

    Raises:
        DataError: there is no name, or the line is that of another format.
    """
    text = text.strip()
    if QUOTED.fullmatch(text):
        return split_names(text.rstrip(",").strip()[1:-1]) or (text,)
    if text.count(";") == 1:
        text = text.removesuffix(";")
    if match := _NO_NAME.search(text):
        raise file.error(
            f"{shortened(text)} has {match[0]!r}, which no name of a class has; {CLASS_LIST_ADVICE}, or 3:cat,kitten "
            'for class 3, or put the name in quotes ("cat: small")',
            number,
        )
    if _FILE_NAME.fullmatch(text):
        raise file.error(f"{shortened(text)} is the name of a file, not of a class; {CLASS_LIST_ADVICE}", number)
    names = split_names(text)
    if not names:
        raise file.error("the class has no name; write it as cat,kitten", number)
    if any(name.isdecimal() for name in names):
        raise file.error(
            f"{shortened(text)} has a number among its names; {CLASS_LIST_ADVICE}, or put it in quotes", number
        )
    return names
