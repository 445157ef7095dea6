"""ToyWorld's FrozenSeg, exported once for all tests of this folder, and narrow models for tests of single parts."""

from pathlib import Path

import pytest
import torch
from filelock import FileLock

from frozenseg.data.transforms.recipes import ShortestEdge
from frozenseg.export.exporter import export_segmenter
from frozenseg.export.options import ExportOptions
from frozenseg.inference.class_rules import ClassRules, negative_classes
from frozenseg.inference.named_vocabularies import toyworld_vocabulary
from frozenseg.inference.predictor import Segmenter
from frozenseg.modeling.build import build_model
from frozenseg.toyworld.samples import sample_scene
from tests.tiny import TRAINING, tiny_config

VOID_DISCOUNT = {"MODEL.CLIP.GEOMETRIC_ENSEMBLE_VOID_DISCOUNT": 0.5}  # with it labels have their own probabilities
OPTIONS = {**VOID_DISCOUNT, "INPUT.MIN_SIZE_TEST": 128}
RULES = ClassRules(negative_classes("person; tree,bush"), negatives_up_to=2, min_evidence=0.01)


def toyworld_segmenter() -> Segmenter:
    """Return the model in the package, with negatives and minimum evidence."""
    segmenter = Segmenter.from_pretrained("toyworld", device="cpu", options=OPTIONS)
    segmenter.class_rules = RULES
    return segmenter


def narrow_segmenter(meta_arch: str = "FrozenSeg") -> Segmenter:
    """Return a segmenter whose model is untrained."""
    torch.manual_seed(0)
    options = [item for pair in VOID_DISCOUNT.items() for item in pair]
    model = build_model(tiny_config(meta_arch, "MODEL.MASK_FORMER.DEC_LAYERS", 4, *options), TRAINING)
    return Segmenter(model, ShortestEdge(64, 128), class_rules=RULES)


@pytest.fixture(scope="session")
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ToyWorld's model for images of any size, checked on an image; one for all test processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if hasattr(request.config, "workerinput") else base) / "toyworld_export"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            options = ExportOptions(vocabulary=toyworld_vocabulary())
            report = export_segmenter(toyworld_segmenter(), folder, options, [sample_scene(4, 96)])
            assert report.passed, report.table()
    return folder
