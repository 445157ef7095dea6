"""Files of class names in all their formats, and their alignment with the classes of a data set.

Our formats are numbered lines ``3:cat,kitten``, plain lines ``cat,kitten``, and tables with tabs and a header (``id``,
``name``, and optionally ``synonyms``, ``isthing``, ``r``, ``g``, ``b``). The formats of other tools are recognised by
their content: CSV, CVAT's ``labelmap.txt``, labelme's ``labels.txt``, YOLO's ``data.yaml``, the ``categories`` of a
COCO JSON, Label Studio's configuration, and colour tables.
"""

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from frozenseg.errors import DataError
from frozenseg.log import get_logger
from frozenseg.vocabulary.formats.class_file import CLASS_LIST_ADVICE, ClassFile, read_class_file, refuse_many_lines
from frozenseg.vocabulary.formats.documents import read_document
from frozenseg.vocabulary.formats.label_configs import read_label_config
from frozenseg.vocabulary.formats.label_maps import read_colour_list, read_cvat_labelmap, read_tensorflow_label_map
from frozenseg.vocabulary.formats.lists import read_list, without_heading
from frozenseg.vocabulary.formats.tables import read_table
from frozenseg.vocabulary.line import Synonyms
from frozenseg.vocabulary.line import VocabularyLine as VocabularyLine
from frozenseg.vocabulary.names import normal_name

logger = get_logger(__name__)
_READERS: tuple[tuple[str, Callable[[ClassFile], list[VocabularyLine] | None]], ...] = (
    ("labels in XML", read_label_config),
    ("classes in JSON or YAML", read_document),
    ("a label map of TensorFlow", read_tensorflow_label_map),
)
_LINE_READERS: tuple[tuple[str, Callable[[ClassFile], list[VocabularyLine] | None]], ...] = (
    ("a labelmap of CVAT", read_cvat_labelmap),
    ("a table with a header", read_table),
    ("a list with colours", read_colour_list),
)


def read_vocabulary_lines(path: str | Path) -> list[VocabularyLine]:
    """Read the classes of a file.

    Empty lines, lines that begin with ``#`` and numbers without a class (``invalid_class_id``) are skipped.

    Args:
        path: text file in UTF-8 or UTF-16, in one of the formats above.

    Returns:
        Classes in the order of the file; either all of them have a number or none.

    Raises:
        DataError: the file is missing, has no class, has a duplicate number, or its format is unknown or ambiguous.
    """
    file = read_class_file(path)
    classes, kind = _classes(file)
    if not classes:
        raise DataError(f"The file of class names {file.path} has no class: {CLASS_LIST_ADVICE}.")
    ids = Counter(line.id for line in classes)
    if None in ids and len(ids) > 1:
        raise DataError(f"The file of class names {file.path} numbers some of its classes only: number all, or none.")
    if duplicates := [number for number, count in ids.items() if number is not None and count > 1]:
        raise DataError(
            f"The file of class names {file.path} has the number {min(duplicates)} twice, expected it once."
        )
    if kind:
        _log_once(f"{file.path}: read as {kind}, {_summary(classes)}.")
    return classes


def match_to_dataset(
    lines: Sequence[VocabularyLine], ids: Sequence[int], path: str | Path, name: str
) -> list[Synonyms]:
    """Return the classes of a file in the order of a data set's classes.

    Published files number the classes as the annotations do, from 0, or from 1; files that count from 1 may have a
    class 0 for "no class". Lines without numbers are in the order of the data set.

    Args:
        lines: classes of the file.
        ids: numbers of the data set's C classes in its annotations, in contiguous order.
        path: the file, for messages.
        name: name of the data set, for messages.

    Returns:
        Synonyms of each of the C classes.

    Raises:
        DataError: the file has more or fewer classes, or other numbers.
    """
    count = len(ids)
    by_id: dict[int, Synonyms] = {line.id: line.names for line in lines if line.id is not None}
    if not by_id and len(lines) == count:
        return [line.names for line in lines]
    numbers = f", numbered {min(by_id)} to {max(by_id)}" if by_id else ""
    if len(by_id) == count + 1 and min(by_id) == 0:
        del by_id[0]
    for order in (list(ids), list(range(count)), list(range(1, count + 1))):
        if by_id.keys() == set(order):
            return [by_id[number] for number in order]
    raise DataError(
        f"{path} has {len(lines)} classes{numbers}, {name} has {count}, numbered {min(ids)} to {max(ids)}: list every "
        "class, with these numbers, or numbered from 0 or 1 without a gap, or without numbers in the order of the data "
        "set."
    )


def refuse_shifted(expected: Sequence[Synonyms], matched: Sequence[Synonyms], path: str | Path, name: str) -> None:
    """Check that the names of a file are in the order of a data set, neither shifted by one class nor permuted.

    Args:
        expected: names of the data set's C classes.
        matched: names of the file for the same classes.
        path: the file, for the message.
        name: name of the data set, for the message.

    Raises:
        DataError: most of the names belong to the class before or after theirs, or several to another class.
    """
    keys = [[{normal_name(text) for text in names} for names in classes] for classes in (expected, matched)]
    fits = {
        shift: [i for i in range(len(expected)) if 0 <= i + shift < len(matched) and keys[0][i] & keys[1][i + shift]]
        for shift in (-1, 0, 1)
    }
    shift = max((1, -1), key=lambda candidate: len(fits[candidate]))
    if len(fits[shift]) > max(len(fits[0]), len(expected) // 2):
        index = fits[shift][0]
        raise DataError(
            f"{path} is shifted by one class: {name} has {expected[index][0]!r} where the file has "
            f"{matched[index][0]!r}, and {len(fits[shift])} of {len(expected)} names fit the class "
            f"{'after' if shift > 0 else 'before'} it: number the lines as the annotations do, such as 3:cat,kitten."
        )
    unfit = set(range(len(expected))).difference(fits[0])
    misplaced = {key for index in unfit for key in keys[1][index]}
    permuted = [index for index in sorted(unfit) if keys[0][index] & misplaced]
    if len(permuted) > 1:
        index = permuted[0]
        raise DataError(
            f"{path} has the names of {name} in another order: {name} has {expected[index][0]!r} where the file has "
            f"{matched[index][0]!r}, and so for {len(permuted)} classes: number the lines as the annotations do, such "
            "as 3:cat,kitten."
        )


def _classes(file: ClassFile) -> tuple[list[VocabularyLine], str]:
    """Return the classes of a file, and its format if it is not one of ours."""
    for kind, read in _READERS:
        classes = read(file)
        if classes is not None:
            return classes, kind
    refuse_many_lines(file)
    for kind, read in _LINE_READERS:
        classes = read(file)
        if classes is not None:
            ours = read is read_table and "\t" in next(iter(file.lines.values()))
            return classes, "" if ours else kind
    body, heading = without_heading(file)
    return read_list(body), f"a list with the heading {heading!r}" if heading else ""


def _summary(classes: Sequence[VocabularyLine]) -> str:
    """Return the number of classes, the first ones and the last one, with their numbers."""
    shown = [*classes[:2], *classes[-1:]] if len(classes) > 3 else classes
    names = [repr(line.names[0]) if line.id is None else f"{line.id} {line.names[0]!r}" for line in shown]
    if len(classes) > 3:
        names.insert(2, "…")
    return f"{len(classes)} {'class' if len(classes) == 1 else 'classes'}: {', '.join(names)}"


@functools.lru_cache(maxsize=1000)
def _log_once(message: str) -> None:
    logger.info("%s", message)
