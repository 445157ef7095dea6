"""JSON and YAML as class lists: COCO's categories, YOLO's ``data.yaml``, Label Studio's ``notes.json`` and others.

YAML is read with all values as text, so that the names ``no`` and ``on`` stay names, and without its references.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from frozenseg.vocabulary.formats.class_file import ClassFile, shortened
from frozenseg.vocabulary.line import Rgb, VocabularyLine, parse_colour, parse_flag, split_names

_KEYS = (  # of the member that holds the classes
    "categories", "names", "classes", "class_names", "labels", "id2label", "label2id", "label_map", "class_map",
    "default_mask_targets", "mask_targets", "default_classes",
)  # fmt: skip
LONGEST_YAML = 500_000  # characters; PyYAML is slow
_NAME_FIELDS = ("name", "class_name", "title", "label", "value")
_ID_FIELDS = ("id", "class_id", "trainId", "value")
_COLOUR_FIELDS = ("color", "colour", "rgb")
_THING_FIELDS = ("isthing", "is_thing", "instances", "hasInstances")
_YAML_START = re.compile(rf"^({'|'.join(_KEYS)})[ \t]*:[ \t]*(\[.*|\{{.*|#.*|&.*|)$", re.MULTILINE)
_WHOLE = re.compile(r"\d+")
_Pairs = list[tuple[Any, Any]]


class _Members(list[tuple[Any, Any]]):
    """Members of a JSON object or of a YAML mapping, in order, with duplicate keys."""


def read_document(file: ClassFile) -> list[VocabularyLine] | None:
    """Read a JSON or YAML file; return None for a file of another format.

    Raises:
        DataError: it cannot be read, or has no list of classes that is known here.
    """
    start = file.text.lstrip()[:1]
    if start not in ("[", "{") and not _YAML_START.search(file.text):
        return None
    try:
        content = _read_json(file.text) if start in ("[", "{") else _read_yaml(file.text)
        lines = _classes(file, content)
    except (RecursionError, MemoryError) as error:
        raise file.error("its values are nested too deeply; write one line per class, such as cat,kitten") from error
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise file.error(f"it begins as JSON or YAML, but is not a list of classes ({reason[:300]})") from error
    return lines


def _read_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_Members)
    except ValueError:
        if "\n" in text.strip() and '"' in text:
            raise  # the position in JSON explains more than YAML's message
        return _read_yaml(text)  # ['cat', 'dog'], as Python writes a list


def _read_yaml(text: str) -> Any:
    if len(text) > LONGEST_YAML:
        raise ValueError(f"it has {len(text)} characters, of YAML at most {LONGEST_YAML} are read")
    return _plain(yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), set())


def _plain(node: yaml.Node | None, seen: set[int]) -> Any:
    """Return the value of a YAML node; scalars as text. References, which can multiply the content, are refused."""
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if id(node) in seen:
        raise ValueError("it has references (&name and *name): write the values themselves")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        return _Members((_plain(key, seen), _plain(value, seen)) for key, value in node.value)
    return [_plain(value, seen) for value in node.value] if isinstance(node, yaml.SequenceNode) else None


def _classes(file: ClassFile, content: Any) -> list[VocabularyLine]:
    if isinstance(content, _Members):
        present = [key for key in _KEYS if any(key == name for name, _ in content)]
        if not present:
            return _class_map(content)
        members = dict(content)
        lines = _classes(file, members[present[0]]) if isinstance(members[present[0]], (list, _Members)) else []
        count = members.get("nc")
        if count is not None and str(count).strip() != str(len(lines)):
            raise ValueError(f"nc is {count}, but {present[0]} lists {len(lines)} classes: correct one of them")
        return lines
    if not isinstance(content, list):
        raise ValueError(f"received {shortened(str(content))}")
    return [_entry(entry, index) for index, entry in enumerate(content)]


def _class_map(members: _Pairs) -> list[VocabularyLine]:
    """Return the classes of ``{0: cat}``, ``{cat: 0}``, ``{0: {name: cat}}`` or ``{cat: [255, 0, 0]}``."""
    if members and all(_number(key) is not None for key, _ in members):
        return [_numbered(_number(key), value) for key, value in members]
    if members and all(_number(value) is not None for _, value in members):
        return [VocabularyLine(_number(value), _names(name)) for name, value in members]
    try:
        if members:
            return [VocabularyLine(None, _names(name), None, parse_colour(value)) for name, value in members]
    except ValueError:
        pass  # no colours either
    keys = ", ".join(str(key) for key, _ in members[:8])
    raise ValueError(
        f"it has the keys {keys or 'none'}: expected a list of classes under 'categories' or 'names', or id: name"
    )


def _numbered(number: int | None, value: Any) -> VocabularyLine:
    if isinstance(value, _Members):
        return _entry(value, 0)._replace(id=number)
    return VocabularyLine(number, _names(value))


def _entry(entry: Any, index: int) -> VocabularyLine:
    """Return a class of a list: a name, or an object with at least a name."""
    if not isinstance(entry, _Members):
        return VocabularyLine(None, _names(entry))
    fields: Mapping[str, Any] = {str(key): value for key, value in entry if value is not None}
    name = next((fields[key] for key in _NAME_FIELDS if isinstance(fields.get(key), str)), None)
    if name is None:
        raise ValueError(f"entry {index + 1} has no name: {shortened(str(dict(fields)))}")
    ids = [number for key in _ID_FIELDS if (number := _number(fields.get(key))) is not None]
    if not ids and "id" in fields:
        raise ValueError(f"the id of {name!r} is {fields['id']!r}: expected a whole number")
    colour = next((fields[key] for key in _COLOUR_FIELDS if fields.get(key)), None)
    flag = next((fields[key] for key in _THING_FIELDS if key in fields), None)
    return VocabularyLine(
        ids[0] if ids else None,
        _names(name),
        None if flag is None else parse_flag(flag),
        None
        if colour is None
        else parse_colour([_number(value) for value in colour] if type(colour) is list else colour),
    )


def _names(value: Any) -> tuple[str, ...]:
    names = split_names(value) if isinstance(value, str) else ()
    if not names:
        raise ValueError(f"{shortened(str(value))} is not the name of a class: expected text")
    return names


def _colour(value: Any) -> Rgb:
    return parse_colour([_number(number) for number in value] if isinstance(value, list) else value)


def _number(value: Any) -> int | None:
    """Return a whole number that is written as a number or as text, or None."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value >= 0 else None
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value.strip()) else None
