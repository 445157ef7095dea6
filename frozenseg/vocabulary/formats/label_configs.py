"""Label configurations in XML as class lists: Label Studio's labelling interface, CVAT's ``annotations.xml``."""

import re
from xml.etree import ElementTree  # noqa: S405 (documents with entities are refused before they are parsed)

from frozenseg.vocabulary.formats.class_file import ClassFile
from frozenseg.vocabulary.line import Rgb, VocabularyLine, parse_colour

LONGEST_XML = 1_000_000  # characters
_START = re.compile(r"\s*<[?!A-Za-z]")


def read_label_config(file: ClassFile) -> list[VocabularyLine] | None:
    """Read the labels of an XML file; return None for a file of another format.

    Labels that several tools of a Label Studio configuration share count once.

    Raises:
        DataError: it is damaged, or has no labels.
    """
    if not _START.match(file.text):
        return None
    try:
        root = parse_xml(file.text)
    except ValueError as error:
        raise file.error(f"{error}; write one line per class") from error
    labels = [(element.get("value"), element.get("background")) for element in root.iter("Label")]
    labels += [(element.findtext("name"), element.findtext("color")) for element in root.iter("label")]
    distinct = {name.strip(): colour for name, colour in reversed(labels) if name and name.strip()}
    if not distinct:
        raise file.error(
            f"it is XML (<{root.tag}>) without labels; expected Label Studio's labelling interface with "
            "<Label value=…>, or one line per class"
        )
    ordered = dict.fromkeys(name.strip() for name, _ in labels if name and name.strip())
    return [VocabularyLine(None, (name.replace(",", " "),), None, _colour(distinct[name])) for name in ordered]


def parse_xml(text: str) -> ElementTree.Element:
    """Return the root of a document without entities.

    Raises:
        ValueError: it is damaged, long, or has a document type; the message continues "the file cannot be read: ".
    """
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise ValueError("it is XML with a document type, which is not read")
    if len(text) > LONGEST_XML:
        raise ValueError(f"it is XML of {len(text)} characters, expected at most {LONGEST_XML}")
    try:
        return ElementTree.fromstring(text.strip())  # noqa: S314 (no entities, see above)
    except (ElementTree.ParseError, RecursionError) as error:
        raise ValueError(f"it is damaged XML ({error}); export it again") from error


def _colour(text: str | None) -> Rgb | None:
    try:
        return parse_colour(text) if text else None
    except ValueError:
        return None  # the name of a colour, which only decorates the tool
