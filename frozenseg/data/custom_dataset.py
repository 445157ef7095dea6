"""Custom data sets with names that contain their files: ``folder:IMAGES?labels=LABELS&classes=FILE``.

Such a name can be used in place of a registered name. Paths are relative to the working directory; ``~`` is the home
folder; characters with a special meaning are escaped as in URLs (``%3F`` for ``?``, ``%26`` for ``&``).
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from frozenseg.data.custom_classes import classes_of_json
from frozenseg.data.formats.coco_instances import load_coco_instances
from frozenseg.data.formats.coco_panoptic import load_coco_panoptic
from frozenseg.data.formats.label_image import load_label_images
from frozenseg.data.label_classes import classes_of_labels
from frozenseg.data.spec import DatasetSpec
from frozenseg.errors import DataError, did_you_mean

REPAIR = "correct the file, or export or download it again"
UNSAFE_CHARACTERS = re.compile(r"[^\w.-]+")  # in names of files and of table columns


@dataclass(frozen=True)
class CustomFormat:
    """Format of a custom data set.

    Attributes:
        usage: syntax of its name.
        required: query keys that must be given.
        optional: query keys that may be given.
        build: returns the specification for the path before ``?`` and the query values.
    """

    usage: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    build: Callable[[str, Mapping[str, str]], DatasetSpec]


def is_custom(name: str) -> bool:
    """Return True if a name describes the files of a custom data set."""
    return name.partition(":")[0] in CUSTOM_FORMATS


def custom_spec(name: str) -> DatasetSpec:
    """Return the specification of a custom data set; its ``name`` is a short one for tables and files.

    Raises:
        DataError: the name has invalid syntax; the message shows the correct one.
    """
    scheme, _, rest = name.partition(":")
    if scheme not in CUSTOM_FORMATS:
        usages = " or ".join(custom_format.usage for custom_format in CUSTOM_FORMATS.values())
        raise DataError(
            f"{name!r} begins with {scheme!r}.{did_you_mean(scheme, CUSTOM_FORMATS)} A custom data set is {usages}."
        )
    custom_format = CUSTOM_FORMATS[scheme]
    path, _, query = rest.partition("?")
    values = _read_query(name, query, custom_format)
    if missing := [key for key in custom_format.required if not values.get(key)]:
        raise DataError(f"{name!r} does not give {' and '.join(missing)}: write {custom_format.usage}.")
    if not path:
        raise DataError(f"{name!r} has no path after {scheme!r}: write {custom_format.usage}.")
    if UNSAFE_CHARACTERS.search(values.get("name", "")):
        raise DataError(f"{name!r} has the name {values['name']!r}: use letters, digits, '.', '-' and '_'.")
    return custom_format.build(unquote(path), values)


def _read_query(name: str, query: str, custom_format: CustomFormat) -> dict[str, str]:
    values: dict[str, str] = {}
    known = (*custom_format.required, *custom_format.optional)
    for part in query.split("&") if query else []:
        key, _, value = part.partition("=")
        if key not in known:
            raise DataError(
                f"{name!r} has the unknown key {key!r}.{did_you_mean(key, known)} Write {custom_format.usage}."
            )
        if key in values:
            raise DataError(f"{name!r} gives {key!r} twice: write {custom_format.usage}.")
        values[key] = unquote(value)
    return values


def _folder_spec(path: str, values: Mapping[str, str]) -> DatasetSpec:
    images = _absolute(path)
    classes = classes_of_labels(_absolute(values["classes"]), values.get("ignore"), values.get("values"))
    return DatasetSpec(
        name=values.get("name") or _short_name(images),
        categories=lambda: classes.rows,
        load=load_label_images,
        files={"image_root": str(images), "sem_seg_root": str(_absolute(values["labels"]))},
        prepare_command=_advice("folder"),
        repair_command=REPAIR,
        evaluator_type="sem_seg",
        ignore_label=classes.ignore_label,
        extra={
            "first_label": classes.first_label,
            "label_coding": classes.coding,
            "label_ending": values.get("ending", ""),
        },
    )


def _panoptic_spec(path: str, values: Mapping[str, str]) -> DatasetSpec:
    json_file = _json_file(path)
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
        repair_command=REPAIR,
    )


def _instance_spec(path: str, values: Mapping[str, str]) -> DatasetSpec:
    json_file = _json_file(path)
    return DatasetSpec(
        name=values.get("name") or _short_name(json_file.with_suffix("")),
        categories=lambda: classes_of_json(json_file, _class_file(values)),
        load=load_coco_instances,
        files={"json_file": str(json_file), "image_root": str(_absolute(values["images"]))},
        prepare_command=_advice("coco-instances"),
        repair_command=REPAIR,
        evaluator_type="coco",
    )


CUSTOM_FORMATS = {
    "folder": CustomFormat(
        "folder:IMAGES?labels=LABELS&classes=FILE[&ignore=255][&values=0,255][&ending=_mask][&name=NAME]",
        ("labels", "classes"),
        ("ignore", "values", "ending", "name"),
        _folder_spec,
    ),
    "coco-panoptic": CustomFormat(
        "coco-panoptic:JSON?images=DIR[&masks=DIR][&labels=DIR][&classes=FILE][&name=NAME]",
        ("images",),
        ("masks", "labels", "classes", "name"),
        _panoptic_spec,
    ),
    "coco-instances": CustomFormat(
        "coco-instances:JSON?images=DIR[&classes=FILE][&name=NAME]", ("images",), ("classes", "name"), _instance_spec
    ),
}


def _json_file(path: str) -> Path:
    """Return the absolute path of an annotation file.

    Raises:
        DataError: the path is that of a folder by its form.
    """
    json_file = _absolute(path)
    if json_file.name in ("", ".."):
        raise DataError(f"The annotation file {path!r} is a folder: name the JSON file in it.")
    return json_file


def _absolute(path: str) -> Path:
    return Path(os.path.expanduser(path)).absolute()  # an unknown ~user stays as written


def _class_file(values: Mapping[str, str]) -> Path | None:
    return _absolute(values["classes"]) if values.get("classes") else None


def _short_name(path: Path) -> str:
    """Return the last two parts of a path, joined: ``farm_images`` for ``…/farm/images``."""
    return UNSAFE_CHARACTERS.sub("-", "_".join(path.parts[1:][-2:]))


def _advice(scheme: str) -> str:
    return f"correct the data set's name, {CUSTOM_FORMATS[scheme].usage}"
