"""Predictions as standard files, written while the images of an evaluation pass.

What is written depends on what the model gives and on the data set:

- panoptic: COCO's ``panoptic.json`` and the PNGs in ``panoptic/``;
- instances: COCO's result file ``instances.json``; for Cityscapes its submission in ``instances/``;
- semantic: pictures in ``semantic/``: of label ids for Cityscapes, counted from 1 for ADE20K, in the data set's own
  values elsewhere.

Letters: C classes.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from frozenseg.atomic import replacing
from frozenseg.errors import DataError
from frozenseg.evaluation.annotated_instances import result_lines
from frozenseg.evaluation.instance_evaluator import thing_ids
from frozenseg.evaluation.predicted_labels import predicted_labels
from frozenseg.evaluation.prediction_file_metrics.entries import Entries
from frozenseg.registry import EVALUATOR
from frozenseg.structures.label_files import image_name, write_labels, write_segment_ids

Record = dict[str, Any]
LARGEST_BYTE = 255


class PredictionWriter(ABC):
    """Writes files of every image that it sees, each whole or not at all; an image seen again takes its own place."""

    @abstractmethod
    def observe(self, record: Record, output: dict[str, Any], contribution: Any) -> None:
        """Write what the model says of an image."""

    @abstractmethod
    def close(self) -> None:
        """Write what is about all images: once, on all processes, after the last image."""


def build_prediction_writers(
    metadata: Any, output_kinds: Set[str], folder: str | Path, resume: bool = False
) -> list[PredictionWriter]:
    """Return what writes the predictions for a data set, on all processes at once.

    Args:
        metadata: the data set's attributes.
        output_kinds: what the model gives, as for :func:`build_evaluators`; those that the data set cannot be scored by
            are not written.
        folder: where the files go.
        resume: keep what an evaluation that was cut off has written there; otherwise the JSON files begin anew.
    """
    evaluators = [EVALUATOR.look_up(name) for name in EVALUATOR.names()]
    served = {cls.output_kind for cls in evaluators if metadata.evaluator_type in cls.evaluator_types}
    folder, chosen = Path(folder), served & output_kinds
    writers: list[PredictionWriter] = []
    if "panoptic" in chosen:
        writers.append(PanopticWriter(folder, metadata, resume))
    if "semantic" in chosen:
        writers.append(_label_writer(folder / "semantic", metadata))
    if "instance" in chosen and getattr(metadata, "thing_dataset_id_to_contiguous_id", None):
        if metadata.evaluator_type.startswith("cityscapes"):
            writers.append(CityscapesInstanceWriter(folder / "instances", thing_ids(metadata)))
        else:
            writers.append(ResultLineWriter(folder, thing_ids(metadata), resume))
    return writers


class PanopticWriter(PredictionWriter):
    """Writes COCO's panoptic format: ``panoptic.json``, and PNGs that are called like their images.

    Args:
        folder: of the JSON; the PNGs are in ``panoptic/``.
        metadata: with ``stuff_dataset_id_to_contiguous_id`` of all classes, and ``image_root`` where there is one.
        resume: keep what is there.
    """

    def __init__(self, folder: Path, metadata: Any, resume: bool = False) -> None:
        self.folder = folder / "panoptic"
        self._root = getattr(metadata, "image_root", None)
        self._ids = _dataset_ids(metadata)
        self._entries = Entries(folder / "panoptic.json", "annotations", resume)

    def observe(self, record: Record, output: dict[str, Any], contribution: Any) -> None:
        """Write the PNG, and keep the segments."""
        del contribution
        ids, segments = _wanted(record, output, "panoptic_seg", "PANOPTIC_ON")
        name = f"{_name_in(record['file_name'], self._root)}.png"
        write_segment_ids(self.folder / name, torch.as_tensor(ids).cpu().numpy())
        listed = [{"id": int(part["id"]), "category_id": self._ids[int(part["category_id"])]} for part in segments]
        entry = {"image_id": record["image_id"], "file_name": name, "segments_info": listed}
        self._entries.put(record["image_id"], [entry])

    def close(self) -> None:
        """Write the JSON."""
        self._entries.gather()


class ResultLineWriter(PredictionWriter):
    """Writes COCO's result file ``instances.json``: a line an instance, with run lengths and score.

    Args:
        folder: of the file.
        dataset_ids: contiguous class id → category id, for things.
        resume: keep what is there.
    """

    def __init__(self, folder: Path, dataset_ids: Mapping[int, int], resume: bool = False) -> None:
        self._ids = dataset_ids
        self._entries = Entries(folder / "instances.json", "", resume)

    def observe(self, record: Record, output: dict[str, Any], contribution: Any) -> None:
        """Keep the lines; a metric that has made them already need not have done so in vain."""
        parts = contribution.values() if isinstance(contribution, Mapping) else ()
        lines = next((part["lines"] for part in parts if isinstance(part, Mapping) and "lines" in part), None)
        if lines is None:
            instances = _wanted(record, output, "instances", "INSTANCE_ON")
            lines = result_lines(record["image_id"], instances, self._ids)
        self._entries.put(record["image_id"], lines)

    def close(self) -> None:
        """Write the file."""
        self._entries.gather()


class LabelWriter(PredictionWriter):
    """Writes the best class of every pixel: PNGs of 8 bits, or TIFFs of 16 where values are above 255.

    Args:
        folder: of the pictures.
        values: (C,) integers, what stands for each class.
        name_of: record → name of its picture, without ending.
    """

    def __init__(self, folder: Path, values: np.ndarray, name_of: Callable[[Record], str]) -> None:
        small = values.max(initial=0) <= LARGEST_BYTE
        self.folder, self._name_of = folder, name_of
        self._values = values.astype(np.uint8 if small else np.uint16)
        self._ending = "png" if small else "tif"

    def observe(self, record: Record, output: dict[str, Any], contribution: Any) -> None:
        """Write the picture."""
        del contribution
        scores = _wanted(record, output, "sem_seg", "SEMANTIC_ON")
        labels = predicted_labels(record, output, len(self._values), tuple(scores.shape[-2:]))
        picture = labels._replace(values=self._values[labels.values]).pixels()
        write_labels(self.folder / f"{self._name_of(record)}.{self._ending}", picture)

    def close(self) -> None:
        """Do nothing: all is written."""


class CityscapesInstanceWriter(PredictionWriter):
    """Writes what Cityscapes' evaluation reads: a text file an image, which names a PNG, label id and score a line.

    Args:
        folder: of the text files; the PNGs are in a folder of each image.
        label_ids: contiguous class id → Cityscapes label id, for things.
    """

    def __init__(self, folder: Path, label_ids: Mapping[int, int]) -> None:
        self.folder, self._ids = folder, label_ids

    def observe(self, record: Record, output: dict[str, Any], contribution: Any) -> None:
        """Write the masks, then the text file."""
        del contribution
        instances = _wanted(record, output, "instances", "INSTANCE_ON")
        name = _cityscapes_name(record)
        masks = instances.pred_masks.cpu().numpy().astype(bool)  # (N, H, W)
        labels, scores = instances.pred_classes.tolist(), instances.scores.tolist()
        lines = []
        for place, (mask, label, score) in enumerate(zip(masks, labels, scores, strict=True)):
            lines.append(f"{name}/{place}.png {self._ids[label]} {score!r}\n")
            with replacing(self.folder / name / f"{place}.png") as temporary:
                Image.fromarray(mask).save(temporary)
        with replacing(self.folder / f"{name}_pred.txt") as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")

    def close(self) -> None:
        """Do nothing: all is written."""


def _label_writer(folder: Path, metadata: Any) -> LabelWriter:
    count = len(metadata.stuff_classes)
    if metadata.evaluator_type.startswith("cityscapes"):
        ids = _dataset_ids(metadata)
        values = np.array([ids[index] for index in range(count)])
        return LabelWriter(folder, values, lambda record: f"{_cityscapes_name(record)}_pred")
    if metadata.evaluator_type == "ade20k_panoptic_seg":  # the benchmark's 0 is no class
        return LabelWriter(folder, 1 + np.arange(count), functools.partial(_image_name, metadata))
    values = getattr(metadata, "first_label", 0) + np.arange(count)
    return LabelWriter(folder, values, functools.partial(_label_name, metadata))


def _dataset_ids(metadata: Any) -> dict[int, int]:
    """Return contiguous class id → id of the data set, for all classes."""
    return {index: number for number, index in metadata.stuff_dataset_id_to_contiguous_id.items()}


def _label_name(metadata: Any, record: Record) -> str:
    """Return the name of the true label picture, by which the two are compared; the image's where there is none."""
    truth = record.get("sem_seg_file_name")
    return _name_in(truth, metadata.sem_seg_root) if truth else _image_name(metadata, record)


def _image_name(metadata: Any, record: Record) -> str:
    return _name_in(record["file_name"], getattr(metadata, "image_root", None))


def _name_in(path: str, root: str | None) -> str:
    """Return a path inside a folder without its ending; the name alone of a path that is elsewhere."""
    file = Path(path)
    inside = file.relative_to(root) if root is not None and file.is_relative_to(root) else Path(file.name)
    return inside.with_suffix("").as_posix()


def _cityscapes_name(record: Record) -> str:
    """Return ``<city>_<sequence>_<frame>``."""
    return "_".join(Path(record["file_name"]).stem.split("_")[:3])


def _wanted(record: Record, output: dict[str, Any], field: str, switch: str) -> Any:
    if field not in output:
        raise DataError(
            f"The output for image {image_name(record)} has no {field}: set MODEL.MASK_FORMER.TEST.{switch} to True."
        )
    return output[field]
