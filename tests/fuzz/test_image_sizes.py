"""Images of one pixel, thin, tall and large ones, through training, check, drawing and evaluation."""

from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from frozenseg.data import resolve
from frozenseg.data.mapper import EvalMapper
from frozenseg.evaluation.label_counts import LabelValues
from frozenseg.evaluation.prediction_file_metrics.semantic import score_semantic_files
from tests.fuzz.fuzz_format import fuzz
from tests.fuzz.use_of_files import first_batch, inspect, training_config

SIDES = st.one_of(st.integers(1, 9), st.integers(1, 200))
EXTREMES = ((1, 1), (1, 3000), (3000, 1), (4096, 16), (16, 4096), (2, 20_000), (20_000, 30), (1500, 1500))
SIZES = st.one_of(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES), st.sampled_from(EXTREMES))
CLASSES = ("red circle", "grass", "sky")


@fuzz("image sizes", SIZES, examples=16)
def test_image_sizes(size: tuple[int, int], folder: Path) -> None:
    for name in ("images", "labels"):
        (folder / name).mkdir()
    height, width = size
    Image.new("RGB", (width, height), (90, 120, 40)).save(folder / "images/a.png")
    labels = np.random.default_rng(height).integers(0, len(CLASSES), size).astype(np.uint8)
    Image.fromarray(labels).save(folder / "labels/a.png")
    (folder / "classes.txt").write_text("\n".join(CLASSES), encoding="utf-8")
    name = f"folder:{folder}/images?labels={folder}/labels&classes={folder}/classes.txt"
    first_batch(name)
    inspect(name, folder)
    [record] = resolve(name).load_records()
    sample = EvalMapper.from_config(training_config())(record)
    assert sample["image"].ndim == 3
    assert min(sample["image"].shape) >= 1
    assert (sample["height"], sample["width"]) == size
    scores = score_semantic_files(folder / "labels", folder / "labels", LabelValues(len(CLASSES)), 1, True)
    assert scores.results["sem_seg"]["mIoU"] == 100
