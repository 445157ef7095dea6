"""Data sets of label images: values, bit depths, colours, sizes and damage, in training, check and scoring."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from PIL import Image

from frozenseg.data import resolve
from frozenseg.data.class_maps import AnnotationRules, read_class_map
from frozenseg.evaluation.label_counts import LabelValues
from frozenseg.evaluation.prediction_file_metrics.semantic import score_semantic_files
from tests.fuzz.exports import HEIGHT, WIDTH
from tests.fuzz.fuzz_format import fuzz
from tests.fuzz.mutations import damaged
from tests.fuzz.use_of_files import first_batch, inspect, use_all

CLASSES = ("red circle", "grass", "sky")
VALUES = ((0, 1, 2), (0, 1, 2, 255), (1, 2, 3), (0, 1, 2, 3), (0, 255), (0, 127, 255), (0,), (255,), (7, 300))


@st.composite
def label_image_cases(draw: DrawFn) -> dict[str, Any]:
    """Draw a label image file; ``labels`` are its values where it is undamaged and holds classes and 255 only."""
    values = draw(st.sampled_from(VALUES))
    mode = draw(st.sampled_from(("L", "L", "L", "P", "I;16", "I", "RGB", "RGBA", "1", "LA")))
    sizes = ((HEIGHT, WIDTH), (WIDTH, HEIGHT), (1, 1), (HEIGHT, WIDTH + 1))
    size = draw(st.sampled_from((*[(HEIGHT, WIDTH)] * 6, *sizes)))
    suffix = draw(st.sampled_from(("png", "png", "tiff", "bmp") if mode in ("L", "P", "RGB", "1") else ("png", "tiff")))
    labels = np.random.default_rng(draw(st.integers(0, 99))).choice(values, size)
    buffer = io.BytesIO()
    _label_image(labels, mode).save(buffer, suffix)
    whole = buffer.getvalue()
    data = draw(st.one_of(st.just(whole), st.just(whole), damaged(whole)))
    valid = data == whole and set(values) <= {0, 1, 2, 255} and mode in ("L", "P") and size == (HEIGHT, WIDTH)
    return {"suffix": suffix, "data": data, "labels": labels.tolist() if valid and {0, 1, 2} & set(values) else None}


def _label_image(labels: np.ndarray, mode: str) -> Image.Image:
    if mode in ("I", "I;16"):
        return Image.fromarray(labels.astype(np.uint16 if "16" in mode else np.int32)).convert("I;16")
    grey = Image.fromarray(labels.astype(np.uint8))
    if mode == "P":
        grey.putpalette(np.random.default_rng(0).integers(0, 256, 768, dtype=np.uint8).tobytes())
        return grey
    return grey.convert(mode)


@fuzz("label images", label_image_cases(), examples=50)
def test_label_images(case: dict[str, Any], folder: Path) -> None:
    for name in ("images", "labels", "predicted"):
        (folder / name).mkdir()
    Image.new("RGB", (WIDTH, HEIGHT), (90, 120, 40)).save(folder / "images/a.png")
    (folder / f"labels/a.{case['suffix']}").write_bytes(case["data"])
    (folder / f"predicted/a.{case['suffix']}").write_bytes(case["data"])
    (folder / "classes.txt").write_text("\n".join(CLASSES), encoding="utf-8")
    name = f"folder:{folder}/images?labels={folder}/labels&classes={folder}/classes.txt"
    whole = None if case["labels"] is None else np.array(case["labels"])

    def score() -> None:
        results = score_semantic_files(folder / "labels", folder / "predicted", LabelValues(len(CLASSES)), 1, True)
        assert results.results["sem_seg"]["mIoU"] == 100

    def classes() -> None:
        dataset = resolve(name)
        [record] = dataset.load_records()
        rules = AnnotationRules.from_metadata(dataset.metadata)
        expected = np.where(whole == 255, -1, whole)
        assert np.array_equal(read_class_map(record, rules, (HEIGHT, WIDTH)), expected)

    uses = [lambda: first_batch(name), lambda: inspect(name, folder), score]
    if whole is None:
        use_all(*uses)
    else:
        classes()
        for use in uses:
            use()
