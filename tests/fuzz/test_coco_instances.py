"""Instance JSON files with damaged fields, as training, check and scoring read them."""

from pathlib import Path
from typing import Any

from frozenseg.evaluation.prediction_file_metrics.instances import score_instance_files
from tests.fuzz import exports
from tests.fuzz.fuzz_format import fuzz
from tests.fuzz.mutations import mutated
from tests.fuzz.use_of_files import first_batch, inspect, use_all


@fuzz("coco instances", mutated(exports.instances()), examples=60)
def test_coco_instances(content: Any, folder: Path) -> None:
    images = exports.write_images(folder)
    annotations = exports.write_json(folder / "instances.json", content)
    predictions = exports.write_json(folder / "predictions.json", exports.result_lines())
    name = f"coco-instances:{annotations}?images={images}"

    def score() -> None:
        metrics = score_instance_files(annotations, predictions).results["segm"]
        assert not any(value < 0 or value > 100 + 1e-9 for value in metrics.values()), metrics  # NaN: no such objects

    use_all(lambda: first_batch(name), lambda: inspect(name, folder), score)
