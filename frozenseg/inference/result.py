"""Result of the segmenter for one image: its outputs as data, and their drawings.

Letters: H×W the image, C classes, n segments or instances.
"""

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from frozenseg.atomic import replacing
from frozenseg.errors import ConfigError, DataError, did_you_mean
from frozenseg.inference.result_exports import (
    LabelledMask,
    coco_annotations,
    coco_categories,
    detectron2_instances,
    instance_arrays,
    segment_arrays,
    supervision_detections,
    transformers_segmentation,
)
from frozenseg.inference.segments import Segment, instance_segments, panoptic_segments
from frozenseg.structures.instances import Instances
from frozenseg.structures.masks import encode_rle
from frozenseg.structures.output_kinds import OutputKind
from frozenseg.structures.palette import vocabulary_colours
from frozenseg.visualization.overlay import OPACITY
from frozenseg.visualization.segmentation import DrawingStyle, draw_instances, draw_panoptic, draw_semantic
from frozenseg.vocabulary import Vocabulary

KINDS: tuple[OutputKind, ...] = ("panoptic", "instance", "semantic")
RESULT_FIELDS = {"panoptic": "panoptic", "instance": "instances", "semantic": "semantic"}  # of a result
NOTEBOOK_SIZE = 1024  # longest side of the drawing in a notebook, pixels
MAX_SHOWN_CLASSES = 8  # of classes in the text form


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """Prediction for one image; outputs that were not requested are None.

    Attributes:
        image: the input, RGB.
        vocabulary: the C classes of the call.
        panoptic: (H, W) int32 map of segment ids, 0 for no segment, and ``{"id", "isthing", "category_id", "label_id",
            "score"}`` of each segment.
        instances: ``pred_masks`` (n, H, W) bool, ``pred_boxes`` (n, 4), ``scores`` (n,), ``pred_classes`` (n,) int64,
            the highest score first.
        semantic: (H, W) int64, the class of every pixel, -1 for none.
    """

    image: Image.Image
    vocabulary: Vocabulary
    panoptic: tuple[Tensor, list[dict[str, Any]]] | None = None
    instances: Instances | None = None
    semantic: Tensor | None = None

    @property
    def kinds(self) -> tuple[OutputKind, ...]:
        """The outputs that the result has."""
        return tuple(kind for kind in KINDS if getattr(self, RESULT_FIELDS[kind]) is not None)

    def require(self, kind: str) -> Any:
        """Return an output: ``panoptic``, ``instance`` or ``semantic``.

        Raises:
            ConfigError: unknown kind, or the output was not requested.
        """
        if kind not in KINDS:
            raise ConfigError(f"Unknown output {kind!r}.{did_you_mean(str(kind), KINDS)} Known: {', '.join(KINDS)}.")
        output = getattr(self, RESULT_FIELDS[kind])
        if output is None:
            has = ", ".join(self.kinds) or "no output"
            raise ConfigError(f"The result has {has}, but not {kind}: pass outputs=({kind!r},) to the segmenter.")
        return output

    @cached_property
    def present(self) -> tuple[str, ...]:
        """Names of the classes that have a segment; without a panoptic map, pixels or instances."""
        if self.panoptic is not None:
            labels = {int(each["category_id"]) for each in self.panoptic[1]}
        elif self.semantic is not None:
            labels = set(torch.unique(self.semantic).tolist())
        else:
            labels = set(self.instances.pred_classes.tolist()) if self.instances is not None else set()
        return tuple(name for index, name in enumerate(self.vocabulary.names) if index in labels)

    @property
    def absent(self) -> tuple[str, ...]:
        """Names of the other classes: the image has too little evidence of them."""
        present = set(self.present)
        return tuple(name for name in self.vocabulary.names if name not in present)

    @cached_property
    def segments(self) -> list[Segment]:
        """Segments of the panoptic map, or the instances where there is no map."""
        return self.segments_of(self._kind)

    @property
    def _kind(self) -> str:
        return "instance" if self.panoptic is None and self.instances is not None else "panoptic"

    def segments_of(self, kind: str) -> list[Segment]:
        """Return the segments of the ``panoptic`` map, or of the ``instance`` output."""
        output = self.require(kind)
        if kind == "instance":
            return instance_segments(output, self.vocabulary)
        if kind == "semantic":
            raise ConfigError("The semantic output has classes of pixels but no segments: read panoptic or instance.")
        ids, infos = output
        return panoptic_segments(ids.cpu().numpy(), infos, self.vocabulary)

    def masks_of(self, kind: str) -> np.ndarray:
        """Return the masks of :meth:`segments_of`, (n, H, W) bool; :meth:`each_mask` takes less memory."""
        size = (0, self.image.height, self.image.width)
        masks = [mask for _, mask in self.each_mask(kind)]
        return np.stack(masks) if masks else np.zeros(size, dtype=bool)

    def each_mask(self, kind: str = "panoptic", largest_first: bool = False) -> Iterator[tuple[Segment, np.ndarray]]:
        """Yield the segments of :meth:`segments_of` with their masks, (H, W) bool, one at a time.

        Args:
            kind: ``panoptic`` or ``instance``.
            largest_first: by falling area, as drawings of labelling tools need it; otherwise in their order.
        """
        output = self.require(kind)
        ids = None if kind == "instance" else output[0].cpu().numpy()
        segments = self.segments_of(kind)
        for segment in sorted(segments, key=lambda segment: -segment.area) if largest_first else segments:
            yield segment, output.pred_masks[segment.id - 1].cpu().numpy() if ids is None else ids == segment.id

    def encoded_masks(self, kind: str = "panoptic") -> list[dict[str, Any]]:
        """Return the masks of :meth:`segments_of` as COCO run lengths, ``{"size": [H, W], "counts": str}``."""
        return [encode_rle(mask[None])[0] for _, mask in self.each_mask(kind)]

    def keep(self, min_score: float = 0.0, min_area: int = 0) -> "Result":
        """Return the result without segments and instances below a score or an area; their pixels have no label.

        Args:
            min_score: smallest score, 0-1.
            min_area: smallest area, pixels.
        """
        panoptic, instances = self.panoptic, self.instances
        if panoptic is not None:
            good = {
                each.id for each in self.segments_of("panoptic") if each.score >= min_score and each.area >= min_area
            }
            panoptic = _selected(panoptic, good)
        if instances is not None:
            areas = instances.pred_masks.flatten(1).sum(dim=1)
            instances = instances[(instances.scores >= min_score) & (areas >= min_area)]
        return replace(self, panoptic=panoptic, instances=instances)

    def mask_of(self, name: str) -> np.ndarray:
        """Return the pixels of a class, (H, W) bool.

        Args:
            name: any name of the class.

        Raises:
            DataError: no class has the name.
        """
        label = next((index for index, names in enumerate(self.vocabulary.classes) if name in names), None)
        if label is None:
            names = self.vocabulary.synonyms
            shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
            raise DataError(f"No class is called {name!r}.{did_you_mean(str(name), names)} Classes: {shown}.")
        if self.panoptic is None and self.instances is None:
            return np.asarray(self.require("semantic").cpu().numpy() == label)
        union = np.zeros((self.image.height, self.image.width), dtype=bool)
        for segment, mask in self.each_mask(self._kind):
            if segment.label_id == label:
                union |= mask
        return union

    def to_coco(self, kind: str = "", image_id: int = 1, file_name: str = "") -> dict[str, Any]:
        """Return a COCO data set of this image: ``images``, ``annotations`` with run lengths, and ``categories``.

        Args:
            kind: ``panoptic`` or ``instance``; empty for that of :attr:`segments`.
            image_id: of the image.
            file_name: of the image.
        """
        kind, ids = kind or self._kind, range(1, len(self.vocabulary) + 1)
        annotations = coco_annotations(self.segments_of(kind), self.encoded_masks(kind), ids)
        image = {"id": image_id, "file_name": file_name, "width": self.image.width, "height": self.image.height}
        return {
            "images": [image],
            "annotations": [{**each, "image_id": image_id} for each in annotations],
            "categories": coco_categories(self.vocabulary, ids, vocabulary_colours(self.vocabulary.names)),
        }

    def to_supervision(self, kind: str = "") -> Any:
        """Return ``supervision.Detections`` with boxes, masks, scores, class indices and ``class_name``.

        Args:
            kind: ``panoptic`` or ``instance``; empty for that of :attr:`segments`.

        Raises:
            ConfigError: supervision is not installed, or the output was not requested.
        """
        kind = kind or self._kind
        return supervision_detections(self.segments_of(kind), self.masks_of(kind))

    def to_detectron2(self) -> dict[str, Any]:
        """Return the outputs as Detectron2's predictors do; ``supervision.Detections.from_detectron2`` reads them."""
        output: dict[str, Any] = {}
        if self.instances is not None:
            output["instances"] = detectron2_instances(self.instances)
        if self.panoptic is not None:
            output["panoptic_seg"] = self.panoptic
        return output

    def to_transformers(self) -> dict[str, Any]:
        """Return ``segmentation`` and ``segments_info`` as transformers' panoptic post-processing does."""
        return transformers_segmentation(self.require("panoptic"))

    def to_pil(self, kind: str = "") -> list[LabelledMask]:
        """Return label, score and mask image of each segment, as transformers' image-segmentation pipeline does.

        Args:
            kind: ``panoptic`` or ``instance``; empty for that of :attr:`segments`.
        """
        kind = kind or self._kind
        return [
            LabelledMask(segment.name, segment.score, Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)))
            for segment, mask in self.each_mask(kind)
        ]

    def to_numpy(self) -> dict[str, np.ndarray]:
        """Return the outputs as arrays without Python objects.

        Returns:
            ``class_names`` (C,); of the panoptic output ``panoptic`` (H, W), ``segment_ids``, ``segment_classes``,
            ``segment_scores``, ``segment_areas`` (n,), ``segment_boxes`` (n, 4) x, y, width, height; of the instances
            ``instance_masks`` (n, H, W), ``instance_boxes`` (n, 4) x0, y0, x1, y1, ``instance_scores``,
            ``instance_classes`` (n,); ``semantic`` (H, W).
        """
        arrays = {"class_names": np.array(self.vocabulary.names, dtype=str)}
        if self.panoptic is not None:
            arrays["panoptic"] = self.panoptic[0].cpu().numpy()
            arrays |= segment_arrays(self.segments_of("panoptic"))
        if self.instances is not None:
            arrays |= instance_arrays(self.instances)
        if self.semantic is not None:
            arrays["semantic"] = self.semantic.cpu().numpy()
        return arrays

    def draw(
        self, kind: str = "panoptic", *, opacity: float = OPACITY, max_size: int = 0, legend: bool = True
    ) -> Image.Image:
        """Return the image with its masks drawn over it, and a legend; small images are enlarged, huge ones reduced.

        Args:
            kind: ``panoptic``, ``instance`` or ``semantic``.
            opacity: of the colours over the image, 0-1.
            max_size: longest side of the drawing without its legend, pixels; 0 for 20000, and 24 megapixels.
            legend: False for the image alone.

        Raises:
            ConfigError: unknown kind, the output was not requested, or the opacity is not between 0 and 1.
        """
        if kind not in KINDS:
            raise ConfigError(f"Cannot draw {kind!r}.{did_you_mean(str(kind), KINDS)} Available: {', '.join(KINDS)}.")
        if not 0 <= opacity <= 1 or max_size < 0:
            raise ConfigError(f"opacity is {opacity} and max_size {max_size}, expected 0 to 1, and pixels from 0.")
        output, style = self.require(kind), DrawingStyle(opacity, legend, max_size)
        if kind == "panoptic":
            return draw_panoptic(self.image, output, self.vocabulary, style=style)
        if kind == "instance":
            return draw_instances(self.image, output, self.vocabulary, style=style)
        return draw_semantic(self.image, output, self.vocabulary, style)

    def save(self, folder: str | Path, name: str = "picture") -> list[Path]:
        """Write ``NAME_panoptic.png``, ``NAME_instance.png`` and ``NAME_semantic.png``; returns their paths.

        Drawings of outputs that were not requested are left out.

        Args:
            folder: created if it does not exist.
            name: beginning of the file names, without a folder.

        Raises:
            ConfigError: the folder cannot be created or written to, or the name is no part of a file name.
        """
        if not isinstance(name, str) or not name.strip() or any(character in name for character in "/\\\0"):
            raise ConfigError(f"name is {name!r}, expected the beginning of file names, without '/' or '\\'.")
        if not isinstance(folder, (str, Path)):
            raise ConfigError(f"folder is {folder!r}, expected a path.")
        paths = {kind: Path(folder) / f"{name}_{kind}.png" for kind in self.kinds}
        try:
            for kind, path in paths.items():
                with replacing(path) as temporary:
                    self.draw(kind).save(temporary)
        except (OSError, ValueError) as error:  # ValueError: a null character in the path
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"The drawings cannot be written to {folder} ({reason}): choose another folder."
            ) from error
        return list(paths.values())

    def __repr__(self) -> str:
        """Return the size of the image and what is in it."""
        parts = [f"{self.image.height}×{self.image.width}"]
        if self.panoptic is not None:
            segments = self.segments_of("panoptic")
            parts.append(f"{_count(len(segments), 'segment')}{_class_counts(segments)}")
        if self.instances is not None:
            parts.append(_count(len(self.instances), "instance"))
        if self.semantic is not None:
            parts.append(_count(len(torch.unique(self.semantic[self.semantic >= 0])), "semantic class", "es"))
        return f"Result({', '.join(parts)})"

    def _repr_png_(self) -> bytes | None:
        """Return the drawing of the first output, PNG; None if there is none (Jupyter shows the text form then)."""
        if not self.kinds:
            return None
        drawing = self.draw(self.kinds[0], max_size=NOTEBOOK_SIZE)
        content = io.BytesIO()
        drawing.save(content, "PNG")
        return content.getvalue()


def _selected(panoptic: tuple[Tensor, list[dict[str, Any]]], ids: set[int]) -> tuple[Tensor, list[dict[str, Any]]]:
    """Return a panoptic map with the segments of some ids."""
    pixels, infos = panoptic
    kept = torch.tensor(sorted(ids), dtype=pixels.dtype, device=pixels.device)
    return pixels * torch.isin(pixels, kept), [info for info in infos if int(info["id"]) in ids]


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{plural if number != 1 else ''}"


def _class_counts(segments: list[Segment]) -> str:
    """Return `` (2 × cat, dog)``, the most frequent classes first; empty for no segments."""
    counts = Counter(segment.name for segment in segments).most_common()
    names = [name if number == 1 else f"{number} × {name}" for name, number in counts[:MAX_SHOWN_CLASSES]]
    names += ["…"] if len(counts) > MAX_SHOWN_CLASSES else []
    return f" ({', '.join(names)})" if names else ""
