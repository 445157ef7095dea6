"""Panoptic JSON files with damaged fields and their PNGs, as training, check and scoring read them."""

from pathlib import Path
from typing import Any

from frozenseg.evaluation.prediction_file_metrics.panoptic import score_panoptic_files
from tests.fuzz import exports
from tests.fuzz.fuzz_format import fuzz
from tests.fuzz.mutations import mutated
from tests.fuzz.use_of_files import first_batch, inspect, use_all


@fuzz("coco panoptic", mutated(exports.panoptic()), examples=60)
def test_coco_panoptic(content: Any, folder: Path) -> None:
    images, masks = exports.write_images(folder), exports.write_segments(folder)
    annotations = exports.write_json(folder / "panoptic.json", content)
    predictions = exports.write_json(folder / "predictions.json", exports.panoptic())
    name = f"coco-panoptic:{annotations}?images={images}&masks={masks}"

    def score() -> None:
        files = (annotations, masks, predictions, masks)
        quality = score_panoptic_files(*files, workers=1, quiet=True).results["panoptic_seg"]
        assert not any(value < 0 or value > 100 + 1e-9 for value in quality.values()), quality  # NaN: no such category

    use_all(lambda: first_batch(name), lambda: inspect(name, folder), score)
