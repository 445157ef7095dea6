"""A narrow FrozenSeg with random weights, exported once for all tests of this folder."""

from pathlib import Path

import pytest
import torch
from filelock import FileLock

from frozenseg.data.transforms.recipes import ShortestEdge
from frozenseg.export.exporter import export_segmenter
from frozenseg.export.options import ExportOptions
from frozenseg.inference.class_rules import ClassRules, negative_classes
from frozenseg.inference.predictor import Segmenter
from frozenseg.modeling.build import build_model
from frozenseg.toyworld.samples import sample_scene
from frozenseg.vocabulary import Vocabulary
from tests.tiny import TRAINING, tiny_config

WORDS = Vocabulary.from_strings(["cat,kitten", "boat", "grass"], isthing=[True, True, False])
OPTIONS = ("MODEL.MASK_FORMER.DEC_LAYERS", 4, "MODEL.CLIP.GEOMETRIC_ENSEMBLE_VOID_DISCOUNT", 0.5)


def narrow_segmenter(meta_arch: str = "FrozenSeg") -> Segmenter:
    """Return a segmenter with negatives and minimum evidence, whose model is untrained."""
    torch.manual_seed(0)
    model = build_model(tiny_config(meta_arch, *OPTIONS), TRAINING)
    rules = ClassRules(negative_classes("person; tree,bush"), negatives_up_to=2, min_evidence=0.01)
    return Segmenter(model, ShortestEdge(64, 128), class_rules=rules)


@pytest.fixture(scope="session")
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a narrow FrozenSeg for images of any size, checked on an image; one for all test processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if hasattr(request.config, "workerinput") else base) / "narrow_export"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            options = ExportOptions(vocabulary=WORDS)
            report = export_segmenter(narrow_segmenter(), folder, options, [sample_scene(4, 96)])
            assert report.passed, report.table()
    return folder
