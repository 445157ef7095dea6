"""Text of a class list, :class:`ClassFile`: decoded, and refused where it is no text."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from frozenseg.errors import DataError

LARGEST_BYTES = 5_000_000  # 100 000 classes with 50 characters each
MOST_LINES = 100_000
LONGEST_LINE = 1000  # characters of a line with numbers or colours; longer ones are names only
LONGEST_PROBLEM = 500  # characters of a message
_SHOWN = 60  # characters of a line in a message
CLASS_LIST_ADVICE = "write one line per class, such as cat,kitten"
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}[\s,;:=]")  # a colour in front of a name is no remark
_HTML = re.compile(r"\s*<(!doctype html|html|head|body)\b", re.IGNORECASE)
_OTHER_FILES = (  # first characters, and the kind of file
    ("version https://git-lfs", "a Git LFS pointer, not the file itself (run 'git lfs pull')"),
    ("{\\rtf", "a document with formatting (save it as plain text)"),
    ("%PDF", "a PDF"),
    ("PK\3\4", "a zip archive or a spreadsheet (save it as CSV)"),
)


class ClassFile(NamedTuple):
    """Content of a class list.

    Attributes:
        path: of the file.
        text: the whole text.
        lines: number in the file → line, of the lines that are not empty and no remarks (``#``).
    """

    path: Path
    text: str
    lines: dict[int, str]

    def error(self, problem: str, number: int | None = None) -> DataError:
        """Return an error about the file, or about the line with a number."""
        if len(problem) > LONGEST_PROBLEM:
            problem = f"{problem[: LONGEST_PROBLEM // 2]} … {problem[-LONGEST_PROBLEM // 2 :]}"
        return DataError(f"{self.path}{'' if number is None else f', line {number}'}: {problem}.")


def read_class_file(path: str | Path) -> ClassFile:
    """Read a class list in UTF-8, or in UTF-16 with or without a byte order mark.

    Raises:
        DataError: the file is missing, too large, or no text.
    """
    path = Path(os.path.expanduser(path))
    try:
        if (size := path.stat().st_size) > LARGEST_BYTES:
            raise DataError(
                f"The file of class names {path} has {size / 1e6:.0f} MB, expected at most {LARGEST_BYTES / 1e6:.0f} "
                f"MB: {CLASS_LIST_ADVICE}, without the annotations of images."
            )
        text = _decoded(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"The file of class names {path} does not exist: correct its path.") from error
    except (OSError, ValueError) as error:  # ValueError: no text, or a path with a null character
        raise DataError(
            f"The file of class names {path} cannot be read as text ({error}): save it as text in UTF-8, one line per "
            "class."
        ) from error
    for start, kind in _OTHER_FILES:
        if text.startswith(start):
            raise DataError(f"The file of class names {path} is {kind}: {CLASS_LIST_ADVICE}.")
    if _HTML.match(text):
        raise DataError(
            f"The file of class names {path} is a web page: download the file itself, or {CLASS_LIST_ADVICE}."
        )
    lines = enumerate(re.split(r"\r\n|\r|\n", text), start=1)
    return ClassFile(path, text, {number: line for number, line in lines if _has_content(line)})


def refuse_many_lines(file: ClassFile) -> None:
    """Raise DataError if a list with one class per line has too many lines."""
    if len(file.lines) > MOST_LINES:
        raise file.error(f"{len(file.lines)} lines, expected the names of at most {MOST_LINES} classes")


def shortened(text: str) -> str:
    """Return a text in quotes for a message, cut if it is long."""
    text = text.strip()
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def match_lines(file: ClassFile, pattern: re.Pattern[str]) -> dict[int, re.Match[str]] | None:
    """Return the matches of a pattern with all lines, by number; None if a line does not match, or there is none."""
    matches: dict[int, re.Match[str]] = {}
    for number, line in file.lines.items():
        match = pattern.fullmatch(line) if len(line) <= LONGEST_LINE else None
        if match is None:
            return None
        matches[number] = match
    return matches or None


def _decoded(content: bytes) -> str:
    encoding = next((encoding for bom, encoding in _BOMS if content.startswith(bom)), "utf-8")
    even, odd = content[0:4:2], content[1:4:2]
    if encoding == "utf-8" and not (any(even) and any(odd)):  # UTF-16 without a mark: every second byte is 0
        encoding = "utf-16-le" if any(even) else "utf-16-be"
    text = content.decode(encoding)
    if "\0" in text:
        raise UnicodeDecodeError(encoding, content[:1], 0, 1, "it holds the character 0, as binary files do")
    return text


def _has_content(line: str) -> bool:
    text = line.strip()
    return bool(text) and (not text.startswith("#") or bool(_COLOUR.match(text)))
