"""FrozenSeg inside an installed Detectron2."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from frozenseg.config import load_config
from frozenseg.config.defaults import KEYS
from frozenseg.data.catalog import DatasetCatalog as OurCatalog
from frozenseg.errors import ConfigError
from frozenseg.modeling.build import build_model as build_ours
from tests.tiny import ROOT, training_batch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("detectron2", reason="Detectron2 is not installed; its install page says how")
    from detectron2.checkpoint import DetectionCheckpointer
    from detectron2.config import get_cfg
    from detectron2.data import DatasetCatalog, MetadataCatalog
    from detectron2.engine import DefaultPredictor
    from detectron2.modeling import BACKBONE_REGISTRY, META_ARCH_REGISTRY, SEM_SEG_HEADS_REGISTRY, build_model
    from detectron2.structures import BitMasks, Boxes, Instances, PolygonMasks
    from detectron2.utils.visualizer import Visualizer

    from frozenseg.plugins import detectron2 as plugin
from frozenseg.data.run_vocabulary import build_vocabulary
from frozenseg.plugins.detectron2_config import DETECTRON2_DEFAULTS
from tools.train_net import main

pytestmark = pytest.mark.filterwarnings("ignore")  # Detectron2's own
PUBLISHED = sorted(path for path in (ROOT / "configs").rglob("*.yaml") if path.parent.name not in ("_base_", "eval"))


@pytest.fixture(autouse=True)
def registered(plugin) -> None:
    """All tests have the plug-in's entries."""


def in_its_form(batch, form=lambda masks: masks):
    """Return a batch with Detectron2's Instances."""
    made = []
    for element in batch:
        own = element["instances"]
        found = Instances(own.image_size, gt_classes=own.gt_classes, gt_masks=form(own.gt_masks))
        made.append({**element, "instances": found})
    return made


def test_everything_is_in_its_registries_and_catalogs() -> None:
    assert {"FrozenSeg", "FCCLIP"} <= {name for name, _ in META_ARCH_REGISTRY}
    assert "CLIP" in BACKBONE_REGISTRY
    assert {"FrozenSegHead", "FCCLIPHead"} <= {name for name, _ in SEM_SEG_HEADS_REGISTRY}
    assert set(OurCatalog.list()) <= set(DatasetCatalog.list())
    assert MetadataCatalog.get("toyworld_train").thing_classes


def test_what_it_has_under_one_of_our_names_stays() -> None:
    for name in ("toyworld_val_seen", "toyworld_val_unseen"):
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)
        MetadataCatalog.get(name).set(thing_classes=["mine"])
    DatasetCatalog.register("toyworld_val_unseen", lambda: ["mine"])
    plugin.register()
    seen, unseen = MetadataCatalog.get("toyworld_val_seen"), MetadataCatalog.get("toyworld_val_unseen")
    assert seen.thing_classes == unseen.thing_classes == ["mine"]
    assert len(seen.stuff_classes) > 1  # what was missing is there now
    assert DatasetCatalog.get("toyworld_val_unseen") == ["mine"]
    assert unseen.get("stuff_classes") is None


@pytest.mark.parametrize(
    "name",
    [
        "openvocab_ade20k_panoptic_val",
        "openvocab_cityscapes_fine_panoptic_val",
        "openvocab_mapillary_vistas_panoptic_val",
        "openvocab_coco_2017_val_panoptic_with_sem_seg",
    ],
)
def test_its_visualiser_names_the_things_of_every_data_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(Visualizer, "overlay_instances", lambda self, **given: drawn.extend(given["labels"]))
    metadata, ids = MetadataCatalog.get(name), torch.ones(8, 8, dtype=torch.int32)
    for index in metadata.thing_dataset_id_to_contiguous_id.values():
        segment = {"id": 1, "isthing": True, "category_id": index}
        Visualizer(np.zeros((8, 8, 3), np.uint8), metadata).draw_panoptic_seg(ids, [segment])
        assert drawn.pop() == metadata.stuff_classes[index]


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: str(path.relative_to(ROOT / "configs")))
def test_configs_load_there_unchanged(path: Path) -> None:
    cfg = get_cfg()
    plugin.add_frozenseg_config(cfg)
    cfg.merge_from_file(str(path))
    theirs, ours = plugin.frozenseg_config(cfg), load_config(path)
    for key in KEYS:
        if key.name not in DETECTRON2_DEFAULTS:
            assert value(theirs, key.name) == value(ours, key.name), key.name


def value(cfg, name):
    for part in name.split("."):
        cfg = cfg[part]
    return cfg


def test_a_config_without_our_keys_is_refused() -> None:
    with pytest.raises(ConfigError, match="call add_frozenseg_config"):
        META_ARCH_REGISTRY.get("FrozenSeg")(get_cfg())


def polygons(masks):
    made = []
    for mask in masks:
        rows, columns = mask.nonzero(as_tuple=True)
        x0, y0, x1, y1 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        made.append([np.array([x0, y0, x1, y0, x1, y1, x0, y1], dtype=np.float64)])
    return PolygonMasks(made)


@pytest.mark.parametrize("form", [BitMasks, polygons, lambda masks: masks], ids=["BitMasks", "PolygonMasks", "tensor"])
def test_losses_are_ours_whatever_form_masks_have(cfg, form) -> None:
    torch.manual_seed(0)
    model = build_model(cfg).train()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        theirs = model(in_its_form(training_batch(), form))
    own = plugin.frozenseg_config(cfg)
    ours = build_ours(own, build_vocabulary(own, "toyworld_train")).train()
    ours.load_state_dict(model.state_dict())
    with torch.random.fork_rng():
        torch.manual_seed(1)
        expected = ours(training_batch())
    assert theirs.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(theirs[name], expected[name])


def test_outputs_are_its_instances(cfg) -> None:
    model = build_model(cfg).eval()
    with torch.no_grad():
        [output] = model([{"image": training_batch()[0]["image"], "height": 40, "width": 40}])
    assert isinstance(output["instances"], Instances)
    assert isinstance(output["instances"].pred_boxes, Boxes)
    assert output["instances"].image_size == (40, 40)
    assert len(output["sem_seg"]) == len(MetadataCatalog.get("toyworld_val_seen").stuff_classes)


def test_its_checkpointer_keeps_everything(cfg, tmp_path: Path) -> None:
    model = build_model(cfg)
    DetectionCheckpointer(model, str(tmp_path)).save("all")
    with torch.no_grad():
        model.void_embedding.weight.add_(1)
    changed = model.void_embedding.weight.clone()
    DetectionCheckpointer(model).load(str(tmp_path / "all.pth"))
    torch.testing.assert_close(model.void_embedding.weight, changed - 1)


def test_its_predictor_and_visualiser_take_pictures(cfg) -> None:
    [record] = DatasetCatalog.get("toyworld_val_seen")[:1]
    from PIL import Image

    with Image.open(record["file_name"]) as file:
        image = np.asarray(file.convert("RGB"))
    output = DefaultPredictor(cfg)(image[:, :, ::-1])
    drawing = Visualizer(image, MetadataCatalog.get("toyworld_val_seen"))
    picture = drawing.draw_panoptic_seg(*output["panoptic_seg"]).get_image()
    assert picture.shape == image.shape


def test_its_engine_trains_goes_on_and_evaluates(config: str, options: list[object], tmp_path: Path) -> None:
    command = ["--engine", "detectron2", "--config-file", config, *map(str, options)]
    assert main([*command, "SOLVER.MAX_ITER", "1"]) == 0
    assert main([*command, "SOLVER.MAX_ITER", "2", "--resume"]) == 0
    lines = (tmp_path / "output/metrics.json").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["iteration"] for line in lines} == {0, 1, 2}
    assert "Starting training from iteration 1" in (tmp_path / "output/log.txt").read_text(encoding="utf-8")
    weights = str(tmp_path / "output/model_final.pth")
    assert main([*command, "--eval-only", "--weights", weights, "OUTPUT_DIR", str(tmp_path / "scores")]) == 0
    said = (tmp_path / "scores/log.txt").read_text(encoding="utf-8")
    assert said.count("copypaste: Task: panoptic_seg") == 2  # once for each of the two test sets


def test_backbone_and_heads_are_built_in_its_style(cfg) -> None:
    backbone = BACKBONE_REGISTRY.get("CLIP")(cfg, None)
    maps = backbone(torch.zeros(1, 3, 64, 64))
    shapes = backbone.output_shape()
    assert {name: (shape.channels, 64 // shape.stride) for name, shape in shapes.items()} == {
        name: (features.shape[1], features.shape[-1]) for name, features in maps.items()
    }
    with pytest.raises(ConfigError, match="EMBED_DIM is 0, but a head that is built without CLIP"):
        SEM_SEG_HEADS_REGISTRY.get("FrozenSegHead")(cfg, shapes)
    cfg.MODEL.FROZEN_SEG.EMBED_DIM = backbone.clip.embed_dim
    own = plugin.frozenseg_config(cfg)
    expected = build_ours(own, build_vocabulary(own, "toyworld_train")).sem_seg_head
    head = SEM_SEG_HEADS_REGISTRY.get("FrozenSegHead")(cfg, shapes)
    assert {name: value.shape for name, value in head.state_dict().items()} == {
        name: value.shape for name, value in expected.state_dict().items()
    }


def test_a_data_set_that_only_it_knows_is_asked_for_by_its_classes(cfg) -> None:
    DatasetCatalog.register("my_farm", list)
    MetadataCatalog.get("my_farm").set(thing_classes=["cow", "pig"])
    cfg.DATASETS.TEST = ("my_farm",)
    assert build_model(cfg).vocabulary.classes == (("cow",), ("pig",))


def test_the_trainer_gives_our_losses(cfg, config: str, options: list[object], tmp_path: Path) -> None:
    trainer = plugin.FrozenSegTrainer(cfg)
    trainer.train()
    theirs = [value for value, _ in trainer.storage.history("total_loss").values()]
    ours = tmp_path / "ours"
    assert main(["--config-file", config, *map(str, options), "OUTPUT_DIR", str(ours), "LOG_PERIOD", "1"]) == 0
    lines = (ours / "metrics.json").read_text(encoding="utf-8").splitlines()
    expected = [line["total_loss"] for line in map(json.loads, lines) if "total_loss" in line]
    assert len(theirs) == 3
    assert theirs == pytest.approx(expected, rel=1e-5)
    results = json.loads((ours / "inference/results.json").read_text(encoding="utf-8"))
    scored = plugin.FrozenSegTrainer.test(cfg, trainer.model)
    for name, tasks in scored.items():
        for metric, score in tasks["panoptic_seg"].items():
            kept = results[name]["panoptic_seg"][metric]
            assert (kept is None and np.isnan(score)) or score == pytest.approx(kept, abs=1e-4)
