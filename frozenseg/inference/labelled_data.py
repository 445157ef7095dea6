"""Data set of labelled images: images, COCO files of each split, and a table of classes, as training takes it.

::

    OUTPUT/classes.tsv             ids, names, synonyms, flags and colours of the classes
    OUTPUT/images/NAME             images: links to the originals, or copies
    OUTPUT/train/, OUTPUT/val/     COCO files of a split
"""

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from urllib.parse import quote

from frozenseg.atomic import replacing, write_text
from frozenseg.inference.data_split import DATA_SPLITS
from frozenseg.inference.formats.label_maps import class_table
from frozenseg.inference.formats.output_files import output_file
from frozenseg.inference.formats.output_format import OutputClasses
from frozenseg.inference.image_files import SUFFIXES
from frozenseg.inference.result import Result
from frozenseg.inference.run_folder import ImageRecord
from frozenseg.inference.run_outputs import CLASS_COUNTS, RunOutputs
from frozenseg.inference.sources.source_image import SourceImage
from frozenseg.structures.output_kinds import OutputKind

IMAGES, CLASSES = "images", "classes.tsv"
PANOPTIC = "coco-panoptic"  # format that training reads
PLAIN = "/:\\ ,()[]+@~"  # characters of a path that need no escape in the name of a data set


@dataclass(frozen=True)
class LabelledData:
    """Data set under a folder.

    Attributes:
        folder: of the data set.
        outputs: COCO files of each split.
        review: files about all images.
        split_of: split of each image or video by its name.
        copy: copy images; otherwise they are linked where the file system can.
    """

    folder: Path
    outputs: Mapping[str, RunOutputs]
    review: RunOutputs
    split_of: Mapping[str, str]
    copy: bool = False

    @property
    def kinds(self) -> tuple[OutputKind, ...]:
        """Outputs that the model must compute."""
        used = [kind for each in (*self.outputs.values(), self.review) for kind in each.kinds]
        return tuple(dict.fromkeys(used))

    def split(self, name: str) -> str:
        """Return the split of an image, which for a frame is that of its video."""
        return self.split_of.get(name) or self.split_of[name.rpartition("/")[0]]

    @cached_property
    def _input_names(self) -> frozenset[str]:
        return frozenset(name.lower() for name in self.split_of)

    def write(self, image: SourceImage, result: Result) -> ImageRecord:
        """Write the files of an image; returns its record."""
        split, stored = self.split(image.name), replace(image, name=data_name(image, self._input_names))
        self._store(image, self.folder / IMAGES / stored.name)
        outputs = self.outputs[split].write(stored, result)
        return {
            "split": split,
            "outputs": outputs,
            "review": self.review.write(stored, result),
            CLASS_COUNTS: outputs[CLASS_COUNTS],
        }

    def finish(self, records: Callable[[], Iterable[ImageRecord]]) -> dict[str, list[Path]]:
        """Write the files about all images; returns the files to open, by split, and those of the review."""
        files: dict[str, list[Path]] = {}
        for split in DATA_SPLITS:
            if any(record["split"] == split for record in records()):
                of_split = self.outputs[split].finish(partial(_of_split, records, split))
                files[split] = [path for paths in of_split.values() for path in paths]
        review = self.review.finish(lambda: (record["review"] for record in records()))
        return files | {"review": [path for paths in review.values() for path in paths]}

    def _store(self, image: SourceImage, target: Path) -> None:
        """Write an image to the data set: as the original file, or as a PNG where there is none."""
        with replacing(target) as temporary:
            if image.path is not None and image.path.suffix.lower() in SUFFIXES:
                if self.copy or not _linked(image.path, temporary):
                    shutil.copyfile(image.path, temporary)
            elif image.image is not None:
                image.image.save(temporary, "PNG")


def data_name(image: SourceImage, input_names: Collection[str]) -> str:
    """Return the name of an image in the data set: that of its file, or with ``.png`` for a frame or a download.

    Names that the file system refuses are changed, see :func:`~frozenseg.inference.formats.output_files.output_file`.

    Args:
        image: with a distinct name.
        input_names: names of all inputs in small letters; a new name is none of them.
    """
    name, suffix = image.name, ""
    if image.path is not None and image.path.suffix.lower() in SUFFIXES:
        suffix = image.path.suffix
    elif name.lower().endswith(".png"):
        suffix = name[-len(".png") :]
    else:
        number, suffix = 1, ".png"
        while f"{name}{suffix}".lower() in input_names:
            number += 1
            suffix = f"_{number}.png"
        return output_file(Path(), name, suffix).as_posix()
    return output_file(Path(), name.removesuffix(suffix), suffix).as_posix()


def write_class_table(path: Path, classes: OutputClasses) -> None:
    """Write the classes of a data set as a table: id, name, synonyms, isthing, r, g, b."""
    write_text(path, class_table(classes))


def data_set_name(folder: Path, json_file: Path, name: str) -> str:
    """Return the name of a split for ``DATASETS.TRAIN`` and ``DATASETS.TEST``.

    Args:
        folder: of the data set.
        json_file: panoptic annotations of the split; their PNGs are in the folder of the same name.
        name: short name of the split, for tables.
    """
    files = (json_file, folder / IMAGES, folder / CLASSES)
    path, images, table = (quote(os.fsencode(file), safe=PLAIN) for file in map(Path.absolute, files))
    return f"coco-panoptic:{path}?images={images}&classes={table}&name={name}"


def _of_split(records: Callable[[], Iterable[ImageRecord]], split: str) -> Iterable[ImageRecord]:
    return (record["outputs"] for record in records() if record["split"] == split)


def _linked(source: Path, target: Path) -> bool:
    """Return True if a hard link to a file could be made."""
    try:
        os.link(source.resolve(), target)
    except OSError:  # another disk, or a file system without links
        return False
    return True
