"""Lists that number their classes: ``3:cat,kitten``, ``3 cat``, ``3. cat``, ``cat: 3`` and the like.

The format is recognised by all lines together. One that fits some of the lines only is refused, as the number might
belong to the name, such as in "18 wheeler".
"""

import re

from frozenseg.errors import DataError
from frozenseg.vocabulary.formats.class_file import ClassFile, match_lines, shortened
from frozenseg.vocabulary.formats.names_in_lines import QUOTED, names_in_line
from frozenseg.vocabulary.line import VocabularyLine

_NUMBERED = re.compile(r"\s*(-?\d+)(\s*[:=),;|]\s*|\s*\.(?!\d)\s*|\s+-\s+|\s+|\s*$)(.*)")
_NAME_NUMBER = re.compile(r"\s*([^\d\s][^:=,;|\t]*?)(\s*[:=,;|\t]\s*|\s+)(\d{1,9})\s*")
_LETTER = re.compile(r"[^\W\d]|[^\x00-\x7f]")


def read_numbered_list(file: ClassFile) -> list[VocabularyLine] | None:
    """Read lines that begin with a number; return None if none does, apart from names in quotes.

    Raises:
        DataError: some lines have a number only, or it may belong to the name.
    """
    matches = {number: _NUMBERED.fullmatch(line) for number, line in file.lines.items()}
    if not any(matches.values()):
        return None
    if not all(matches.values()):
        raise _mixed(file, [number for number, match in matches.items() if match])
    classes = [_numbered(file, number, match) for number, match in matches.items() if match]
    ids = [line.id for line in classes if line.id is not None]
    by_spaces = not any(match[2].strip() for match in matches.values() if match)
    if by_spaces and (ids[0] > 1 or sorted(set(ids)) != ids):
        number, line = next(iter(file.lines.items()))
        raise file.error(
            f"{shortened(line)} begins with {ids[0]}, which is the number of a class or a part of its name; write "
            f'{ids[0]}:name for a number, and quotes for a name, such as "18 wheeler"',
            number,
        )
    return classes


def read_names_with_numbers(file: ClassFile) -> list[VocabularyLine] | None:
    """Read ``cat: 0`` or ``cat,0``; return None if not all lines end with a number.

    Raises:
        DataError: there are only spaces in front of the numbers, which may belong to the names or not.
    """
    matches = match_lines(file, _NAME_NUMBER)
    if matches is None:
        return None
    parts = [(match[1], match[2].strip(" "), int(match[3])) for match in matches.values()]
    if all(separator for _, separator, _ in parts):
        return [
            VocabularyLine(class_id, names_in_line(file, number, name))
            for number, (name, _, class_id) in zip(file.lines, parts, strict=True)
        ]
    ids, names = [class_id for *_, class_id in parts], {name for name, *_ in parts}
    if len(names) == len(ids) > 1 and ids in (list(range(len(ids))), list(range(1, len(ids) + 1))):
        number, line = next(iter(file.lines.items()))
        raise file.error(
            f"{shortened(line)} ends with a number, as all lines do; write {ids[0]}:{parts[0][0]} if it is the number "
            "of the class, and quotes around every line if it belongs to the name",
            number,
        )
    return None


def _mixed(file: ClassFile, numbered: list[int]) -> DataError:
    others = [number for number in file.lines if number not in numbered]
    odd = min(numbered if len(numbered) < len(others) else others)
    return file.error(
        f"{shortened(file.lines[odd])} is not in the format of the other lines; begin every line with its number and a "
        'colon, such as 3:cat,kitten, or no line, and put a name that begins with a number in quotes ("18 wheeler")',
        odd,
    )


def _numbered(file: ClassFile, number: int, match: re.Match[str]) -> VocabularyLine:
    text = match[3]
    if ":" in match[2] and ":" in text and not QUOTED.fullmatch(text):
        raise file.error(
            f"{shortened(match[0])} is not in the format of the other lines; expected a number, one colon and the "
            "names, such as 3:cat,kitten",
            number,
        )
    is_name = not text or QUOTED.fullmatch(text) or _LETTER.search(text)
    if match[1].startswith("-") or len(match[1]) > 9 or not is_name:
        raise file.error(
            f"{shortened(match[0])} is no number from 0 on with a name; write it as 3:cat,kitten, and a name of digits "
            'in quotes, such as 3:"7"',
            number,
        )
    return VocabularyLine(int(match[1]), names_in_line(file, number, text))
