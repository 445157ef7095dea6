"""Data sets of one's own, named by what they are made of: ``folder:IMAGES?labels=LABELS&classes=FILE``.

Such a name stands wherever that of a data set does. Paths begin at the working directory; ``~`` is the home folder, and
what has a meaning of its own in such a name is written as in web addresses (``%3F`` for ``?``, ``%26`` for ``&``).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from frozenseg.data.custom_classes import classes_of_json, classes_of_labels
from frozenseg.data.formats.coco_instances import load_coco_instances
from frozenseg.data.formats.coco_panoptic import load_coco_panoptic
from frozenseg.data.formats.label_image import load_label_images
from frozenseg.data.spec import DatasetSpec
from frozenseg.errors import DataError, did_you_mean

UNFIT = re.compile(r"[^\w.-]+")  # for names of files and of columns


@dataclass(frozen=True)
class Kind:
    """A way to make a data set.

    Attributes:
        usage: how its name is written.
        needed: query words that must be there.
        allowed: those that may be there too.
        describe: what stands before the query, and the query, → the spec.
    """

    usage: str
    needed: tuple[str, ...]
    allowed: tuple[str, ...]
    describe: Callable[[str, Mapping[str, str]], DatasetSpec]


def spec_of(name: str) -> DatasetSpec:
    """Return what a name of this kind stands for; its own ``name`` is a short one for tables and files.

    Raises:
        DataError: the name is spelled wrong; says how it is right.
    """
    scheme, _, rest = name.partition(":")
    if scheme not in KINDS:
        usages = " or ".join(kind.usage for kind in KINDS.values())
        raise DataError(
            f"{name!r} begins with {scheme!r}.{did_you_mean(scheme, KINDS)} A data set of one's own is {usages}."
        )
    kind = KINDS[scheme]
    path, _, query = rest.partition("?")
    values = _read_query(name, query, kind)
    if missing := [word for word in kind.needed if not values.get(word)]:
        raise DataError(f"{name!r} does not say {' and '.join(missing)}: write {kind.usage}.")
    if not path:
        raise DataError(f"{name!r} has no path behind {scheme!r}: write {kind.usage}.")
    if UNFIT.search(values.get("name", "")):
        raise DataError(f"{name!r} has the name {values['name']!r}: use letters, digits, '.', '-' and '_'.")
    return kind.describe(unquote(path), values)


def _read_query(name: str, query: str, kind: Kind) -> dict[str, str]:
    values: dict[str, str] = {}
    known = (*kind.needed, *kind.allowed)
    for part in query.split("&") if query else []:
        word, _, value = part.partition("=")
        if word not in known:
            raise DataError(f"{name!r} has the unknown word {word!r}.{did_you_mean(word, known)} Write {kind.usage}.")
        if word in values:
            raise DataError(f"{name!r} says {word!r} twice: write {kind.usage}.")
        values[word] = unquote(value)
    return values


def _folder(path: str, values: Mapping[str, str]) -> DatasetSpec:
    if not values.get("ignore", "255").isdecimal():
        raise DataError(f"ignore is {values['ignore']!r} in folder:{path}?…: expected a pixel value such as 255 or 0.")
    images, classes = _absolute(path), _absolute(values["classes"])
    rows, first_label = classes_of_labels(classes)
    ignored = int(values.get("ignore", "255"))
    if first_label <= ignored < first_label + len(rows):
        raise DataError(
            f"The value {ignored} of label pictures is that of a class in {classes}, "
            f"{rows[ignored - first_label].names[0]!r}, and it marks unlabelled pixels: give another one by &ignore=… "
            "(65535 where there are more than 255 classes)."
        )
    return DatasetSpec(
        name=values.get("name") or _short_name(images),
        categories=lambda: rows,
        load=load_label_images,
        files={"image_root": str(images), "sem_seg_root": str(_absolute(values["labels"]))},
        prepare_command=_advice("folder"),
        evaluator_type="sem_seg",
        ignore_label=ignored,
        extra={"first_label": first_label},
    )


def _panoptic(path: str, values: Mapping[str, str]) -> DatasetSpec:
    json_file = _absolute(path)
    masks = _absolute(values["masks"]) if values.get("masks") else json_file.with_suffix("")
    files = {
        "panoptic_json": str(json_file),
        "image_root": str(_absolute(values["images"])),
        "panoptic_root": str(masks),
    }
    if values.get("labels"):
        files["sem_seg_root"] = str(_absolute(values["labels"]))
    return DatasetSpec(
        name=values.get("name") or _short_name(json_file.with_suffix("")),
        categories=lambda: classes_of_json(json_file, _class_file(values)),
        load=load_coco_panoptic,
        files=files,
        prepare_command=_advice("coco-panoptic"),
    )


def _instances(path: str, values: Mapping[str, str]) -> DatasetSpec:
    json_file = _absolute(path)
    return DatasetSpec(
        name=values.get("name") or _short_name(json_file.with_suffix("")),
        categories=lambda: classes_of_json(json_file, _class_file(values)),
        load=load_coco_instances,
        files={"json_file": str(json_file), "image_root": str(_absolute(values["images"]))},
        prepare_command=_advice("coco-instances"),
        evaluator_type="coco",
    )


KINDS = {
    "folder": Kind(
        "folder:IMAGES?labels=LABELS&classes=FILE[&ignore=255][&name=NAME]",
        ("labels", "classes"),
        ("ignore", "name"),
        _folder,
    ),
    "coco-panoptic": Kind(
        "coco-panoptic:JSON?images=DIR[&masks=DIR][&labels=DIR][&classes=FILE][&name=NAME]",
        ("images",),
        ("masks", "labels", "classes", "name"),
        _panoptic,
    ),
    "coco-instances": Kind(
        "coco-instances:JSON?images=DIR[&classes=FILE][&name=NAME]", ("images",), ("classes", "name"), _instances
    ),
}


def _absolute(path: str) -> Path:
    return Path(path).expanduser().absolute()


def _class_file(values: Mapping[str, str]) -> Path | None:
    return _absolute(values["classes"]) if values.get("classes") else None


def _short_name(path: Path) -> str:
    """Return the last two parts of a path as one word: ``farm_images`` for ``…/farm/images``."""
    return UNFIT.sub("-", "_".join(path.parts[1:][-2:]))


def _advice(scheme: str) -> str:
    return f"correct the data set's name, {KINDS[scheme].usage}"
