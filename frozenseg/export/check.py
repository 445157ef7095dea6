"""Comparison of exported files with the model that they were made from: stages, results and times.

A stage agrees if the largest difference is at most a share of the standard deviation of its values, or a few units in
the last place of the largest value. The share grows after the masked attention, where a mask pixel within rounding of
the threshold may be on either side, and with a lower precision of the weights. In fp32, queries whose masks have such a
pixel are counted and left out of the stages of queries; their masks are compared with a wider tolerance.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from frozenseg.export.graphs import ImageGraph, ImageInputs
from frozenseg.export.onnx_file import with_outputs_of
from frozenseg.export.options import ExportOptions
from frozenseg.export.runtime import OnnxSegmenter, graph_inputs
from frozenseg.export.tied_queries import MOST_TIED, OF_QUERIES, tied_queries
from frozenseg.inference.predictor import Segmenter
from frozenseg.vocabulary import Vocabulary

StageArrays = Mapping[str, np.ndarray]
UNITS = 64 * float(np.finfo(np.float32).eps)  # tolerance as a share of the largest value
DISCRETE = 20.0  # factor of the tolerance after masks have been compared with their threshold
PIXELS = 1e-3  # share of pixels that may have another label
BEFORE_MASKED_ATTENTION = (
    "sam_embedding",
    "res2",
    "res3",
    "res4",
    "res5",
    "dense",
    "mask_features",
    "scale0",
    "scale1",
    "scale2",
)
REPEATS = 3  # timed calls
SHARES = {"fp32": 1e-4, "fp16": 1e-2, "bf16": 3e-1, "int8": 3e-1}  # tolerance as a share of the standard deviation


class Reference(NamedTuple):
    """Values of the model for an image, before it is changed for the export."""

    image: Image.Image
    vocabulary: Vocabulary
    inputs: ImageInputs
    stages: StageArrays
    maps: StageArrays  # classes of the pixels in the outputs; empty where the files have another input size
    seconds: float


@dataclass(frozen=True)
class StageDifference:
    """One line of the table.

    Attributes:
        stage: name of the compared values.
        maximum: largest difference.
        mean: mean difference.
        tolerance: largest permitted difference.
        passed: True if the stage agrees.
    """

    stage: str
    maximum: float
    mean: float
    tolerance: float
    passed: bool


@dataclass(frozen=True)
class CheckReport:
    """Comparison of the files with the model.

    Attributes:
        rows: of each image, in the order of the computation.
        model_seconds: median time of the model for the image graph.
        file_seconds: median time of the file.
    """

    rows: Sequence[StageDifference]
    model_seconds: float
    file_seconds: float

    @property
    def passed(self) -> bool:
        """True if every stage agrees."""
        return all(row.passed for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Return the report for the manifest."""
        return {**asdict(self), "passed": self.passed}

    def table(self) -> str:
        """Return the report as text."""
        from tabulate import tabulate

        lines = [
            [row.stage, *(f"{value:.1e}" for value in (row.maximum, row.mean, row.tolerance)), _verdict(row)]
            for row in self.rows
        ]
        headers = ["stage", "max difference", "mean", "tolerance", "verdict"]
        body = tabulate(lines, headers=headers, disable_numparse=True, colalign=("left", *["right"] * 3, "left"))
        ratio = self.file_seconds / self.model_seconds
        times = f"model {self.model_seconds:.3f} s, file {self.file_seconds:.3f} s, ratio {ratio:.2f}"
        return f"{body}\n\nimage graph: {times}"


@torch.no_grad()
def reference_of(
    segmenter: Segmenter, image: Image.Image, options: ExportOptions, preprocessing: dict[str, Any]
) -> Reference:
    """Return the values of the model for an image.

    Args:
        segmenter: with the model, before precision and weights are changed.
        image: upright RGB image.
        options: of the export; without a vocabulary, that of the training is used.
        preprocessing: of the manifest.
    """
    model = segmenter.model
    vocabulary = options.vocabulary or model.training_vocabulary
    settings = segmenter.settings(vocabulary, sam_masks=False)
    text = model.text_embeddings(settings)
    arrays = graph_inputs(image, preprocessing)
    inputs = ImageInputs(
        torch.from_numpy(arrays["images"]),
        torch.from_numpy(arrays["sizes"]),
        text.embeddings,
        text.class_index,
        torch.tensor(settings.seen),
    )
    stages = ImageGraph(model, with_stages=True)(*inputs)
    seconds = _median_seconds(lambda: ImageGraph(model)(*inputs))
    maps: dict[str, np.ndarray] = {}
    if options.size is None:
        [result] = segmenter.segment_batch([image], settings)
        ids, segments = result.require("panoptic")
        maps = {"panoptic": _classes_of(ids.numpy(), segments), "semantic": result.require("semantic").numpy()}
    values = {name: value.numpy() for name, value in stages.items()}
    return Reference(image, vocabulary, inputs, values, maps, seconds)


def check_files(
    segmenter: Segmenter, folder: Path, manifest: dict[str, Any], references: Sequence[Reference]
) -> CheckReport:
    """Compare the files of an export with the model.

    Args:
        segmenter: for the names of the outputs.
        folder: of the files.
        manifest: of the files.
        references: values of the model.
    """
    if not references:
        return CheckReport((), 1.0, 1.0)
    outputs = ImageGraph(segmenter.model).outputs
    start = _RUNNERS[manifest["kind"]]
    rows = _compared_stages(start(folder, manifest["graphs"]["image"]["stages"] or outputs), manifest, references)
    if manifest["kind"] == "onnx" and manifest["size"] is None:
        rows += _compared_maps(OnnxSegmenter(folder), references)
    timed = start(folder, outputs)  # after the other sessions are freed, each of which holds all weights
    seconds = _median_seconds(lambda: timed(references[0].inputs))
    return CheckReport(tuple(rows), references[0].seconds, seconds)


def _compared_stages(
    run: Callable[[ImageInputs], StageArrays], manifest: Mapping[str, Any], references: Sequence[Reference]
) -> list[StageDifference]:
    """Return a row for every stage of each image."""
    share = SHARES["int8" if manifest["int8"] else manifest["precision"]]
    rows: list[StageDifference] = []
    for reference in references:
        actual, expected = run(reference.inputs), reference.stages
        if share > SHARES["fp32"]:
            rows += [_compared(name, actual[name], expected[name], share) for name in actual]
            continue
        tied = tied_queries(actual["masks"], expected["masks"], expected["dense"].shape[-2:])  # (B, Q)
        compared = {name: ~tied if name in OF_QUERIES else ... for name in actual}
        rows += [_compared(name, actual[name][of], expected[name][of], share) for name, of in compared.items()]
        rows.append(_compared("masks with ties", actual["masks"], expected["masks"], share * DISCRETE))
        ties = float(tied.mean())
        rows.append(StageDifference("queries with ties (share)", ties, ties, MOST_TIED, ties <= MOST_TIED))
    return rows


def _compared(stage: str, actual: np.ndarray, expected: np.ndarray, share: float) -> StageDifference:
    difference = np.abs(actual.astype(np.float64) - expected)
    share = share if stage in BEFORE_MASKED_ATTENTION else share * DISCRETE
    allowed = max(share * float(expected.std()), UNITS * float(np.abs(expected).max()))
    largest = float(difference.max())
    return StageDifference(stage, largest, float(difference.mean()), allowed, largest <= allowed)


def _compared_maps(runtime: OnnxSegmenter, references: Sequence[Reference]) -> list[StageDifference]:
    """Return the shares of pixels of the panoptic map and of the labels whose class differs, for each image."""
    rows = []
    for reference in references:
        vocabulary = reference.vocabulary
        stuff = [names[0] for names, thing in zip(vocabulary.classes, vocabulary.isthing, strict=True) if not thing]
        result = runtime(reference.image, vocabulary.classes, stuff)
        maps = {"panoptic": _classes_of(result.panoptic, result.segments), "semantic": result.semantic}
        for name, expected in reference.maps.items():
            share = float((maps[name] != expected).mean())
            rows.append(StageDifference(f"{name} (pixels)", share, share, PIXELS, share <= PIXELS))
    return rows


def _classes_of(ids: np.ndarray, segments: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Return the class of each pixel of a panoptic map, -1 for none."""
    classes = np.full(max((segment["id"] for segment in segments), default=0) + 1, -1)
    for segment in segments:
        classes[segment["id"]] = segment["category_id"]
    of_pixels: np.ndarray = classes[ids]
    return of_pixels


def _run_onnx(folder: Path, names: Sequence[str]) -> Callable[[ImageInputs], StageArrays]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    content = with_outputs_of(folder / "image.onnx", names)
    session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])

    def run(inputs: ImageInputs) -> StageArrays:
        fed = {name: value.numpy() for name, value in inputs._asdict().items()}
        return dict(zip(names, session.run(list(names), fed), strict=True))

    return run


def _run_program(folder: Path, names: Sequence[str]) -> Callable[[ImageInputs], StageArrays]:
    return _as_arrays(torch.export.load(folder / "image.pt2").module(), names)


def _run_compiled(folder: Path, names: Sequence[str]) -> Callable[[ImageInputs], StageArrays]:
    from torch._inductor import aoti_load_package

    return _as_arrays(aoti_load_package(str(folder / "image.pt2")), names)


def _as_arrays(program: Callable[..., Any], names: Sequence[str]) -> Callable[[ImageInputs], StageArrays]:
    @torch.no_grad()
    def run(inputs: ImageInputs) -> StageArrays:
        outputs = program(*inputs)
        return {name: outputs[name].numpy() for name in names}

    return run


_RUNNERS = {"onnx": _run_onnx, "torch-export": _run_program, "aoti": _run_compiled}


def _median_seconds(work: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _verdict(row: StageDifference) -> str:
    return ("equal" if row.maximum == 0 else "agrees") if row.passed else "DIFFERS"
