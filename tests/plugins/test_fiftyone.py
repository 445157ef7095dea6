"""FiftyOne's source of models: its manifest and functions; its model and zoo where FiftyOne is installed.

FiftyOne pins packages of the server and brings a database, so that it is no part of the test environment. Without it,
stand-ins with the same fields check the labels.
"""

import importlib
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from frozenseg.errors import ConfigError
from frozenseg.inference.predictor import Segmenter
from frozenseg.modeling.pretrained import pretrained_models
from frozenseg.plugins import fiftyone_zoo
from frozenseg.toyworld.samples import sample_scene
from tests.serving.conftest import toyworld
from tests.tiny import ROOT

CLASSES = "red circle; blue square; water"
MANIFEST = ROOT / "frozenseg/plugins/fiftyone_zoo/manifest.json"
HAS_FIFTYONE = importlib.util.find_spec("fiftyone") is not None


class Label(SimpleNamespace):
    """Stand-in of FiftyOne's labels: the fields that it is built with."""


@pytest.fixture
def labels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put stand-ins in the place of FiftyOne if it is not installed."""
    segmenter = toyworld()
    monkeypatch.setattr(Segmenter, "from_pretrained", lambda weights, device: segmenter)
    if not HAS_FIFTYONE:
        core = ModuleType("fiftyone.core")
        parts = {
            "labels": {"Detection": Label, "Detections": Label, "Segmentation": Label},
            "models": {"Model": object},
        }
        for name, content in parts.items():
            module = ModuleType(f"fiftyone.core.{name}")
            module.__dict__.update(content)
            setattr(core, name, module)
            monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(sys.modules, "fiftyone", ModuleType("fiftyone"))
        monkeypatch.setitem(sys.modules, "fiftyone.core", core)
    sys.modules.pop("frozenseg.plugins.fiftyone_model", None)
    yield
    sys.modules.pop("frozenseg.plugins.fiftyone_model", None)


def test_the_manifest_has_the_fields_and_models_of_this_package() -> None:
    manifest = json.loads(MANIFEST.read_text("utf-8"))
    assert manifest["name"] == "frozenseg"
    fields = {"base_name", "base_filename", "author", "license", "source", "description", "tags", "date_added"}
    for model in manifest["models"]:
        assert fields | {"requirements"} == model.keys()
        assert model["base_name"].removeprefix(fiftyone_zoo.PREFIX) in pretrained_models()
        assert Path(model["base_filename"]).name == model["base_filename"]


def test_the_model_file_names_the_weights(tmp_path: Path) -> None:
    fiftyone_zoo.download_model("frozenseg-toyworld", str(tmp_path / "toyworld.txt"))
    assert (tmp_path / "toyworld.txt").read_text("utf-8").strip() == "toyworld"


@pytest.mark.usefixtures("labels")
def test_segments_are_detections_with_masks() -> None:
    scene = sample_scene(4, 128)
    model = fiftyone_zoo.load_model("frozenseg-toyworld", classes=CLASSES, stuff="water")
    assert (model.media_type, model.transforms, model.ragged_batches, model.preprocess) == ("image", None, False, False)
    expected = toyworld()(scene, CLASSES, stuff="water", outputs="panoptic")
    detections = model.predict(np.asarray(scene)).detections
    assert len(detections) == len(expected.segments) > 1
    for detection, (segment, mask) in zip(detections, expected.each_mask(), strict=True):
        left, top, width, height = (round(each * 128) for each in detection.bounding_box)
        assert (detection.label, [left, top, width, height]) == (segment.name, list(segment.bbox))
        assert detection.confidence == pytest.approx(segment.score)
        drawn = np.zeros((128, 128), dtype=bool)
        drawn[top : top + height, left : left + width] = detection.mask
        assert (drawn == mask).all()


@pytest.mark.usefixtures("labels")
def test_the_semantic_output_has_a_value_for_each_class() -> None:
    scene = sample_scene(4, 128)
    model = fiftyone_zoo.load_model("frozenseg-toyworld", classes=CLASSES, stuff="water", output="semantic")
    assert model.mask_targets == {1: "red circle", 2: "blue square", 3: "water"}
    [label, small] = model.predict_all([np.asarray(scene), np.asarray(scene.resize((64, 32)))])
    semantic = toyworld()(scene, CLASSES, stuff="water", outputs="semantic").require("semantic")
    assert (label.mask == semantic.numpy() + 1).all()
    assert (label.mask.dtype, small.mask.shape) == (np.uint8, (32, 64))
    instances = fiftyone_zoo.load_model("frozenseg-toyworld", output="instances", min_score=1.0)
    assert instances.predict(np.asarray(scene)).detections == []
    with pytest.raises(ConfigError, match="output is 'boxes', expected one of instances, segments, semantic"):
        fiftyone_zoo.load_model("frozenseg-toyworld", output="boxes")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "frozenseg.plugins.fiftyone_model", raising=False)
    monkeypatch.setitem(sys.modules, "fiftyone.core.labels", None)
    monkeypatch.setitem(sys.modules, "fiftyone.core", ModuleType("fiftyone.core"))
    monkeypatch.setitem(sys.modules, "fiftyone", ModuleType("fiftyone"))
    with pytest.raises(ConfigError, match="The model needs FiftyOne .*: pip install fiftyone"):
        fiftyone_zoo.load_model("frozenseg-toyworld")


@pytest.mark.skipif(not HAS_FIFTYONE, reason="FiftyOne pins packages of the server; stand-ins take its place above")
@pytest.mark.usefixtures("labels")
def test_fiftyones_zoo_reads_the_source_and_its_samples_take_the_labels() -> None:
    from fiftyone.core.models import Model
    from fiftyone.core.sample import Sample
    from fiftyone.zoo.models import ZooModelsManifest, _import_zoo_module

    manifest = ZooModelsManifest.from_json(str(MANIFEST))
    assert manifest.name == "frozenseg"
    assert manifest.get_latest_model_with_base_name("frozenseg-toyworld").base_filename == "toyworld.txt"
    module: Any = _import_zoo_module(str(MANIFEST.parent))
    sample = Sample(filepath="scene.png")
    for output in ("segments", "instances", "semantic"):
        model = module.load_model("frozenseg-toyworld", None, classes=CLASSES, stuff="water", output=output)
        assert isinstance(model, Model)
        sample[output] = model.predict(np.asarray(sample_scene(4, 128)))
    copied = Sample.from_dict(sample.to_dict())
    for first, second in zip(sample["segments"].detections, copied["segments"].detections, strict=True):
        assert (first.mask == second.mask).all()
    assert (sample["semantic"].mask == copied["semantic"].mask).all()
