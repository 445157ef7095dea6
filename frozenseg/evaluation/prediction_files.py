"""Writers of predictions in standard file formats, as observers of an evaluation.

The files depend on the requested outputs and on the data set:

- panoptic: COCO's ``panoptic.json`` and the PNGs in ``panoptic/``;
- instances: COCO's result file ``instances.json``; for Cityscapes its submission format in ``instances/``;
- semantic: label images in ``semantic/``: label ids for Cityscapes, classes counted from 1 for ADE20K, otherwise the
  values of the data set's label images.

Letters: C classes, N instances, H×W the image.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Set
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from frozenseg.atomic import replacing
from frozenseg.evaluation.build import scored_outputs
from frozenseg.evaluation.evaluator import DatasetEvaluators
from frozenseg.evaluation.instance_scoring import thing_ids
from frozenseg.evaluation.json_entry_file import JsonEntryFile
from frozenseg.evaluation.predicted_labels import predicted_labels
from frozenseg.evaluation.required_output import required_output
from frozenseg.evaluation.result_lines import encode_result_lines
from frozenseg.evaluation.types import ImageContributions
from frozenseg.structures.dataset_metadata import DatasetMetadata
from frozenseg.structures.label_files import write_labels, write_segment_ids
from frozenseg.structures.output_kinds import ModelOutput, OutputKind
from frozenseg.structures.record import Record

LARGEST_BYTE = 255


class PredictionWriter(ABC):
    """Observer that writes the predictions of every image; an image that is observed again replaces its files."""

    @abstractmethod
    def observe(self, record: Record, output: ModelOutput, contribution: ImageContributions) -> None:
        """Write the predictions of an image, each file atomically."""

    @abstractmethod
    def close(self) -> None:
        """Write the files about all images; called once on every process, after the last image."""


def build_prediction_writers(
    metadata: DatasetMetadata,
    evaluators: DatasetEvaluators,
    output_kinds: Set[OutputKind],
    folder: str | Path,
    resume: bool = False,
) -> list[PredictionWriter]:
    """Build the writers of a data set; called on all processes at once.

    Args:
        metadata: of the data set.
        evaluators: metrics of the evaluation; masks that they have already encoded are not encoded again.
        output_kinds: the requested outputs of the model; those that the data set is not scored by are not written.
        folder: of the files.
        resume: keep the entries that an interrupted evaluation has written; otherwise the JSON files are deleted.
    """
    folder, kinds = Path(folder), scored_outputs(metadata) & output_kinds
    is_cityscapes = metadata.evaluator_type.startswith("cityscapes")
    writers: list[PredictionWriter] = []
    if "panoptic" in kinds:
        writers.append(PanopticWriter(folder, metadata, resume))
    if "semantic" in kinds:
        writers.append(_label_writer(folder / "semantic", metadata))
    if "instance" in kinds and (things := thing_ids(metadata)):
        if is_cityscapes:
            writers.append(CityscapesInstanceWriter(folder / "instances", things))
        else:
            writers.append(ResultLineWriter(folder, things, evaluators, resume))
    return writers


class PanopticWriter(PredictionWriter):
    """Writes COCO's panoptic format: ``panoptic.json``, and one PNG per image with the name of the image.

    Args:
        folder: of the JSON file; the PNGs are in ``panoptic/``.
        metadata: its ``category_ids`` and ``image_root``.
        resume: keep existing entries.
    """

    def __init__(self, folder: Path, metadata: DatasetMetadata, resume: bool = False) -> None:
        self.folder = folder / "panoptic"
        self._root = metadata.image_root
        self._ids = metadata.category_ids
        self._entries = JsonEntryFile(folder / "panoptic.json", "annotations", resume)

    def observe(self, record: Record, output: ModelOutput, contribution: ImageContributions) -> None:
        """Write the PNG and store the entry of an image."""
        del contribution
        ids, segments = required_output(record, output, "panoptic")
        name = f"{_relative_name(record['file_name'], self._root)}.png"
        write_segment_ids(self.folder / name, torch.as_tensor(ids).cpu().numpy())
        infos = [{"id": int(part["id"]), "category_id": self._ids[int(part["category_id"])]} for part in segments]
        entry = {"image_id": record["image_id"], "file_name": name, "segments_info": infos}
        self._entries.put(record["image_id"], [entry])

    def close(self) -> None:
        """Write the JSON file."""
        self._entries.merge()


class ResultLineWriter(PredictionWriter):
    """Writes COCO's result file ``instances.json``: one line per instance with run-length encoded mask and score.

    Args:
        folder: of the file.
        dataset_ids: contiguous class id → category id, for things.
        evaluators: metrics; their contributions may contain the lines.
        resume: keep existing lines.
    """

    def __init__(
        self, folder: Path, dataset_ids: Mapping[int, int], evaluators: DatasetEvaluators, resume: bool = False
    ) -> None:
        self._ids, self._evaluators = dataset_ids, evaluators
        self._entries = JsonEntryFile(folder / "instances.json", "", resume)

    def observe(self, record: Record, output: ModelOutput, contribution: ImageContributions) -> None:
        """Store the result lines of an image; reuse those that an AP metric has already encoded."""
        lines = self._evaluators.result_lines(contribution)
        if lines is None:
            instances = required_output(record, output, "instance")
            lines = encode_result_lines(record["image_id"], instances, self._ids)
        self._entries.put(record["image_id"], lines)

    def close(self) -> None:
        """Write the file."""
        self._entries.merge()


class LabelWriter(PredictionWriter):
    """Writes the best class of every pixel: 8-bit PNGs, or 16-bit TIFFs if values exceed 255.

    Args:
        folder: of the images.
        values: (C,) integers, pixel value of each class.
        name_of: record → path of its file below ``folder``, without suffix.
    """

    def __init__(self, folder: Path, values: np.ndarray, name_of: Callable[[Record], str]) -> None:
        fits_byte = values.max(initial=0) <= LARGEST_BYTE
        self.folder, self._name_of = folder, name_of
        self._values = values.astype(np.uint8 if fits_byte else np.uint16)
        self._suffix = "png" if fits_byte else "tif"

    def observe(self, record: Record, output: ModelOutput, contribution: ImageContributions) -> None:
        """Write the label image of an image."""
        del contribution
        height, width = required_output(record, output, "semantic").shape[-2:]
        labels = predicted_labels(record, output, len(self._values), (height, width))
        image = labels._replace(values=self._values[labels.values]).pixels()
        write_labels(self.folder / f"{self._name_of(record)}.{self._suffix}", image)

    def close(self) -> None:
        """Do nothing: all files are written."""


class CityscapesInstanceWriter(PredictionWriter):
    """Writes Cityscapes' submission format: per image a text file with one line per PNG: path, label id, score.

    Args:
        folder: of the text files; the PNGs of an image are in a folder with its name.
        label_ids: contiguous class id → Cityscapes label id, for things.
    """

    def __init__(self, folder: Path, label_ids: Mapping[int, int]) -> None:
        self.folder, self._ids = folder, label_ids

    def observe(self, record: Record, output: ModelOutput, contribution: ImageContributions) -> None:
        """Write the masks of an image, then its text file."""
        del contribution
        instances = required_output(record, output, "instance")
        name = _cityscapes_name(record)
        masks = instances.pred_masks.cpu().numpy().astype(bool)  # (N, H, W)
        labels, scores = instances.pred_classes.tolist(), instances.scores.tolist()
        lines = []
        for index, (mask, label, score) in enumerate(zip(masks, labels, scores, strict=True)):
            lines.append(f"{name}/{index}.png {self._ids[label]} {score!r}\n")
            with replacing(self.folder / name / f"{index}.png") as temporary:
                Image.fromarray(mask).save(temporary)
        with replacing(self.folder / f"{name}_pred.txt") as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")

    def close(self) -> None:
        """Do nothing: all files are written."""


def _label_writer(folder: Path, metadata: DatasetMetadata) -> LabelWriter:
    count = len(metadata.vocabulary)
    if metadata.evaluator_type.startswith("cityscapes"):
        values = np.array(metadata.category_ids)
        return LabelWriter(folder, values, lambda record: f"{_cityscapes_name(record)}_pred")
    if metadata.evaluator_type == "ade20k_panoptic_seg":  # in the benchmark's files, 0 is no class
        return LabelWriter(folder, 1 + np.arange(count), functools.partial(_image_name, metadata))
    coding = metadata.get("label_coding")
    values = np.array(coding.values) if coding is not None else metadata.first_label + np.arange(count)
    return LabelWriter(folder, values, functools.partial(_label_name, metadata))


def _label_name(metadata: DatasetMetadata, record: Record) -> str:
    """Return the name of the annotated label image, by which files are matched; without one, that of the image."""
    path = record.get("sem_seg_file_name")
    return _relative_name(path, metadata.sem_seg_root) if path else _image_name(metadata, record)


def _image_name(metadata: DatasetMetadata, record: Record) -> str:
    return _relative_name(record["file_name"], metadata.image_root)


def _relative_name(path: str, root: str | None) -> str:
    """Return the path relative to a folder without suffix; only the file name if the path is not below the folder."""
    file = Path(path)
    inside = file.relative_to(root) if root is not None and file.is_relative_to(root) else Path(file.name)
    return inside.with_suffix("").as_posix()


def _cityscapes_name(record: Record) -> str:
    """Return ``<city>_<sequence>_<frame>``."""
    return "_".join(Path(record["file_name"]).stem.split("_")[:3])
