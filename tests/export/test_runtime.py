"""The runtime gives the results of the segmenter: three image sizes and several vocabularies through one file."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frozenseg.export.runtime import OnnxSegmenter
from frozenseg.export.runtime_classes import CallClasses, classes_of_call
from frozenseg.export.runtime_files import ExportedFileError
from frozenseg.export.runtime_outputs import SegmentedImage
from frozenseg.inference.named_vocabularies import toyworld_vocabulary
from frozenseg.inference.predictor import Segmenter
from frozenseg.inference.result import Result
from frozenseg.toyworld.samples import sample_scene
from tests.export.conftest import toyworld_segmenter

LINES, SECONDS = 200, 0.3
PIXELS, SURE = 1e-3, 0.2
ALONE = """
import sys, time
start = time.process_time()
import runtime
seconds = time.process_time() - start
segmented = runtime.OnnxSegmenter(sys.argv[1], threads=1)(sys.argv[2])
heavy = {name.split(".")[0] for name in sys.modules} & {"torch", "frozenseg", "open_clip", "scipy"}
print(seconds, segmented.panoptic.shape, *heavy)
"""


@pytest.fixture(scope="module")
def runtime(exported: Path) -> OnnxSegmenter:
    return OnnxSegmenter(exported, threads=1)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return toyworld_segmenter()


def assert_same(actual: SegmentedImage, expected: Result) -> None:
    """Compare results; a pixel or a mask within rounding of a threshold may be on either side."""
    assert expected.panoptic is not None
    assert expected.instances is not None
    assert expected.semantic is not None
    assert (actual.panoptic != expected.panoptic[0].numpy()).mean() <= PIXELS
    for ours, theirs in zip(actual.segments, expected.panoptic[1], strict=True):
        assert ours == {**theirs, "score": pytest.approx(theirs["score"], rel=1e-3)}
    assert (actual.semantic != expected.semantic.numpy()).mean() <= PIXELS
    instances = expected.instances
    sure = instances.scores > SURE
    assert actual.instances.scores == pytest.approx(instances.scores.numpy(), abs=1e-3)
    assert actual.instances.classes[: sure.sum()].tolist() == instances.pred_classes[sure].tolist()
    for ours, theirs in zip(actual.instances.masks, instances.pred_masks[sure].numpy(), strict=False):
        assert (ours != theirs).mean() <= PIXELS


@pytest.mark.parametrize("size", [(96, 96), (64, 100), (150, 70)])
@pytest.mark.parametrize(
    ("words", "stuff"),
    [
        ("red circle,crimson circle; green circle; blue crescent; water", ("water",)),
        ("green circle; water,lake", ("water",)),  # few enough for negatives
        ("yellow triangle; background", ()),  # a class that catches the rest
        ("thing: green circle\nStuff : water,lake;", ()),  # marks and lines
    ],
)
def test_results_are_those_of_the_segmenter(
    runtime: OnnxSegmenter, segmenter: Segmenter, size: tuple[int, int], words: str, stuff: tuple[str, ...]
) -> None:
    image = sample_scene(4, 160).resize((size[1], size[0]))
    expected = segmenter(image, words, stuff, sam_masks=False)
    assert expected.segments
    assert_same(runtime(image, words, stuff), expected)


def classes_of(runtime: OnnxSegmenter, words: str, stuff: tuple[str, ...] = ()) -> CallClasses:
    return classes_of_call(words, stuff, runtime.manifest)


def test_a_related_class_is_no_negative(runtime: OnnxSegmenter) -> None:
    assert classes_of(runtime, "dog; cloud").names[2:] == [["person"], ["tree"]]
    assert classes_of(runtime, "dog; palm trees").names[2:] == [["person"]]
    assert len(classes_of(runtime, "dog; cloud; car").names) == 3  # more classes than negatives compete with


def test_marks_are_not_in_the_names(runtime: OnnxSegmenter) -> None:
    marked, plain = classes_of(runtime, "dog; stuff: cloud,sky"), classes_of(runtime, "dog; cloud,sky", ("cloud",))
    assert marked == plain
    assert marked.isthing == [True, False]


def test_each_name_has_an_embedding_and_void_is_last(runtime: OnnxSegmenter) -> None:
    inputs = runtime.encode(classes_of(runtime, "dog; cloud,sky,dog; car"))
    assert inputs["class_index"].tolist() == [0, 1, 1, 1, 2, 3]
    assert inputs["text_embeddings"].dtype == np.float32
    assert np.linalg.norm(inputs["text_embeddings"], axis=1) == pytest.approx(1, rel=1e-5)
    assert np.array_equal(inputs["text_embeddings"][0], inputs["text_embeddings"][3])


def test_an_image_of_too_many_pixels_is_refused(runtime: OnnxSegmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    sample_scene(4, 96).save(content, "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ExportedFileError, match="cannot be decoded .*decompression bomb"):
        runtime(content)


def test_a_class_is_seen_in_any_spelling(runtime: OnnxSegmenter) -> None:
    assert classes_of(runtime, "Blue  Square; boat; my_wall,Brick_WALL ").seen == [True, False, True]


def test_the_vocabulary_of_the_folder_needs_no_text_graph(exported: Path, tmp_path: Path) -> None:
    scene = sample_scene(4, 96)
    scene.save(tmp_path / "scene.png")
    runtime = OnnxSegmenter(exported, threads=1)
    stored = runtime(tmp_path / "scene.png")
    assert runtime._text is None
    words = toyworld_vocabulary()
    stuff = [names[0] for names, isthing in zip(words.classes, words.isthing, strict=True) if not isthing]
    named = runtime(np.asarray(scene), words.classes, stuff)
    assert np.array_equal(stored.panoptic, named.panoptic)
    assert stored.segments == named.segments


@pytest.mark.parametrize(
    ("image", "words", "stuff", "message"),
    [
        ("none.png", "cat", (), r"The image 'none.png' cannot be decoded"),
        (Image.new("RGB", (8, 8)), " ; ", (), r"has a class without a name"),
        (Image.new("RGB", (8, 8)), "cat,", (), r"has a class without a name"),
        (Image.new("RGB", (8, 8)), "cat", ("sky",), r"Stuff classes that are not in the vocabulary: sky"),
        (Image.new("RGB", (8, 8)), "background", (), r"only background classes"),
    ],
)
def test_mistakes_are_named(
    runtime: OnnxSegmenter, image: object, words: str, stuff: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ExportedFileError, match=message):
        runtime(image, words, stuff)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportedFileError, match=r"manifest.json cannot be read \(FileNotFoundError\)"):
        OnnxSegmenter(tmp_path)


def test_the_computation_is_one_short_file(exported: Path) -> None:
    assert len((exported / "runtime.py").read_text(encoding="utf-8").splitlines()) <= LINES


def test_the_copied_runtime_imports_neither_torch_nor_this_package(exported: Path, tmp_path: Path) -> None:
    sample_scene(4, 96).save(tmp_path / "scene.png")
    command = [sys.executable, "-B", "-c", ALONE, str(exported), str(tmp_path / "scene.png")]
    runs = [subprocess.run(command, cwd=exported, capture_output=True, text=True, check=True) for _ in range(2)]
    seconds, *rest = zip(*(run.stdout.split(maxsplit=1) for run in runs), strict=True)
    assert {line.strip() for line in rest[0]} == {"(96, 96)"}
    assert min(map(float, seconds)) < SECONDS
