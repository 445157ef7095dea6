"""Specification of a data set, :class:`DatasetSpec`, and the reader of category tables."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, NamedTuple

from frozenseg.data.metadata import Metadata, datasets_root
from frozenseg.errors import DataError
from frozenseg.structures.record import Record
from frozenseg.vocabulary import Vocabulary

CATEGORY_COLUMNS = ("id", "name", "synonyms", "isthing", "r", "g", "b")


class CategoryRow(NamedTuple):
    """One class of a data set.

    Attributes:
        id: category id in the annotation files.
        names: synonyms, the first one is the name in reports.
        isthing: True for things, False for stuff.
        rgb: colour in drawings, 0-255.
        group: a subset of the classes that is reported separately; empty for none.
        official: name in the annotation files; empty if unknown.
    """

    id: int
    names: tuple[str, ...]
    isthing: bool
    rgb: tuple[int, int, int]
    group: str = ""
    official: str = ""


@dataclass(frozen=True)
class DatasetSpec:
    """Specification from which a data set is registered, see :func:`frozenseg.data.register_dataset`.

    Attributes:
        name: the name in configs.
        categories: returns the classes in contiguous order; called when first needed.
        load: metadata → records; one of ``frozenseg.data.formats``.
        files: metadata field → path under the folder of all data sets (``image_root``, ``panoptic_root``,
            ``panoptic_json``, ``sem_seg_root``, ``json_file``); fields that are left out are None.
        prepare_command: advice on how to get the files; messages append it after a semicolon. ``{root}`` is replaced by
            the folder of all data sets.
        repair_command: advice on how to correct files that exist but are damaged; empty: ``prepare_command``.
        evaluator_type: key that selects the evaluators.
        ignore_label: value of unlabelled pixels in label images.
        protocol: evaluation protocol, a file of ``configs/eval`` without its suffix; empty: the config unchanged.
        images: expected number of images; several numbers if sources differ, empty if unknown.
        occurring: number of classes that occur in the images; 0: all, or unknown.
        published_seen: key in the table of published seen flags; empty if there are none.
        extra: further metadata fields.
    """

    name: str
    categories: Callable[[], Sequence[CategoryRow]]
    load: Callable[[Metadata], list[Record]]
    files: Mapping[str, str]
    prepare_command: str
    evaluator_type: str = "coco_panoptic_seg"
    ignore_label: int = 255
    protocol: str = ""
    images: tuple[int, ...] = ()
    occurring: int = 0
    published_seen: str = ""
    repair_command: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def metadata_fields(self) -> dict[str, Any]:
        """Return the fields of the metadata; paths are under the current folder of all data sets."""
        rows = self.categories()
        groups: dict[str, list[int]] = {}
        for index, row in enumerate(rows):
            if row.group:
                groups.setdefault(row.group, []).append(index)
        root = datasets_root()
        paths = dict.fromkeys(("image_root", "panoptic_root", "panoptic_json", "sem_seg_root", "json_file"))
        return {
            "name": self.name,
            "evaluator_type": self.evaluator_type,
            "vocabulary": Vocabulary(tuple(row.names for row in rows), tuple(row.isthing for row in rows)),
            "category_ids": tuple(row.id for row in rows),
            "colors": tuple(row.rgb for row in rows),
            "ignore_label": self.ignore_label,
            "protocol": self.protocol,
            "known_images": self.images,
            "known_occurring": self.occurring,
            "published_seen": self.published_seen,
            "category_groups": groups,
            "category_names": tuple(row.official for row in rows) if all(row.official for row in rows) else (),
            "prepare_command": self.prepare_command.format(root=root),
            "repair_command": self.repair_command,
            **paths,
            **{name: str(root / path) for name, path in self.files.items()},
            **self.extra,
        }


def prepare_with(converter: str) -> str:
    """Return the ``prepare_command`` of a data set with a converter in ``frozenseg.data.prepare``."""
    return f"get the raw files and run `frozenseg prepare {converter} --root {{root}}`"


def read_categories(file_name: str) -> tuple[CategoryRow, ...]:
    """Read a table of ``frozenseg/data/categories``: tab-separated, with a header line.

    Args:
        file_name: such as ``coco_panoptic.tsv``. Its columns: id (in the annotation files), name (the official one),
            synonyms (for prompts, comma-separated, the first one for reports; empty: the name), isthing, r, g, b, and
            optionally group for subsets to report.

    Raises:
        DataError: the file or a column is missing.
    """
    path = resources.files("frozenseg.data") / "categories" / file_name
    if not path.is_file():
        raise DataError(
            f"There is no category table {file_name} in frozenseg/data/categories: correct the name or add the file."
        )
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
    if missing := [column for column in CATEGORY_COLUMNS if not rows or column not in rows[0]]:
        raise DataError(f"The category table {file_name} lacks the columns {', '.join(missing)}.")
    return tuple(_read_row(row) for row in rows)


def _read_row(row: Mapping[str, str]) -> CategoryRow:
    names = tuple(name.strip() for name in (row["synonyms"] or row["name"]).split(","))
    rgb = (int(row["r"]), int(row["g"]), int(row["b"]))
    return CategoryRow(int(row["id"]), names, row["isthing"] == "1", rgb, row.get("group") or "", row["name"])
