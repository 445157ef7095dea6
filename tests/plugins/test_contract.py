"""Contract with Detectron2, tested without it: names of flags, keys and fields, and their types."""

import importlib.util
import re
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode as Sections

from frozenseg.config import get_cfg, load_config
from frozenseg.data.catalog import DatasetCatalog, MetadataCatalog
from frozenseg.engine.arguments import argument_parser
from frozenseg.errors import ConfigError
from frozenseg.modeling.build import build_model
from frozenseg.plugins.detectron2_config import (
    add_frozenseg_config,
    check_images_at_once,
    copy_frozenseg_keys,
    frozenseg_config,
    read_config,
    warn_of_keys_without_effect,
)
from frozenseg.plugins.detectron2_data import fields_for_detectron2, fields_from_detectron2
from frozenseg.structures.instances import Instances
from tests.tiny import ROOT, TEST, TRAINING, tiny_config, training_batch
from tools.train_net import main

FLAGS = ("config_file", "resume", "eval_only", "num_gpus", "num_machines", "machine_rank", "dist_url", "opts")


def test_flags_are_those_of_detectron2() -> None:
    arguments = argument_parser().parse_args(["--config-file", "x.yaml", "--num-gpus", "2", "SEED", "1"])
    assert set(FLAGS) <= vars(arguments).keys()
    assert (arguments.num_gpus, arguments.opts, arguments.engine) == (2, ["SEED", "1"], "frozenseg")


@pytest.mark.parametrize("name", DatasetCatalog.list())
def test_metadata_have_the_names_that_its_evaluators_read(name: str) -> None:
    fields = fields_for_detectron2(name)
    assert {"evaluator_type", "ignore_label", "stuff_classes", "thing_classes", "label_divisor"} <= fields.keys()
    things, all_classes = (fields[f"{kind}_dataset_id_to_contiguous_id"] for kind in ("thing", "stuff"))
    assert set(things.items()) <= set(all_classes.items())
    assert sorted(all_classes.values()) == list(range(len(fields["stuff_classes"])))
    assert len(fields["stuff_colors"]) == len(fields["stuff_classes"])


@pytest.mark.parametrize("name", DatasetCatalog.list())
def test_a_thing_is_found_in_its_metadata_by_its_class(name: str) -> None:
    ours, told = MetadataCatalog.get(name), fields_for_detectron2(name)
    assert told["stuff_classes"] == [",".join(names) for names in ours.vocabulary.classes]
    assert told["thing_dataset_id_to_contiguous_id"] == ours.thing_contiguous_ids
    for index in ours.thing_contiguous_ids.values():
        assert told["thing_classes"][index] == told["stuff_classes"][index]
        assert tuple(told["thing_colors"][index]) == ours.colors[index]


@pytest.mark.parametrize(
    ("fields", "classes", "things"),
    [
        ({"thing_classes": ["cow", "pig"]}, ["cow", "pig"], [0, 1]),
        ({"stuff_classes": ["hay", "mud"]}, ["hay", "mud"], []),
        (
            {"stuff_classes": ["mud", "cow"], "thing_classes": ["cow"], "thing_dataset_id_to_contiguous_id": {7: 1}},
            ["mud", "cow"],
            [1],
        ),
    ],
)
def test_what_only_it_knows_gets_words(fields: dict[str, object], classes: list[str], things: list[int]) -> None:
    vocabulary = fields_from_detectron2(fields)["vocabulary"]
    assert list(vocabulary.names) == classes
    assert [index for index, isthing in enumerate(vocabulary.isthing) if isthing] == things


@pytest.mark.parametrize("meta_arch", ["FrozenSeg", "FCCLIP"])
def test_outputs_have_its_keys_fields_and_kinds(meta_arch: str) -> None:
    model = build_model(tiny_config(meta_arch), TRAINING).eval()
    model.set_vocabulary(TEST)
    with torch.no_grad():
        [output] = model([{"image": training_batch()[0]["image"], "height": 32, "width": 48}])
    assert output.keys() == {"sem_seg", "panoptic_seg", "instances"}
    assert (output["sem_seg"].shape, output["sem_seg"].dtype) == ((len(TEST), 32, 48), torch.float32)
    ids, segments = output["panoptic_seg"]
    assert (ids.shape, ids.dtype) == ((32, 48), torch.int32)
    assert all(segment.keys() >= {"id", "isthing", "category_id"} for segment in segments)
    assert output["instances"].get_fields().keys() == {"pred_masks", "pred_boxes", "scores", "pred_classes"}
    assert output["instances"].image_size == (32, 48)


def test_a_config_gets_all_keys_and_gives_them_back() -> None:
    cfg = Sections({"MODEL": Sections({"MASK_ON": False, "DEVICE": "cuda"}), "SEED": -1})
    add_frozenseg_config(cfg)
    assert (cfg.MODEL.MASK_ON, cfg.MODEL.DEVICE) == (True, "cuda")  # masks are read; the device stays its own
    cfg.SOLVER.STEPS = (1, 2)  # its lists are tuples
    expected = get_cfg()
    expected.merge_from_list(["SOLVER.STEPS", [1, 2], "MODEL.DEVICE", "cuda"])
    assert frozenseg_config(cfg) == expected
    copy_frozenseg_keys(cfg, get_cfg())
    assert (cfg.SOLVER.STEPS, cfg.MODEL.DEVICE) == (get_cfg().SOLVER.STEPS, "cuda")


CONFIG = str(ROOT / "configs/toyworld/frozenseg_tiny.yaml")


def fresh() -> Sections:
    """Return something like a config of Detectron2, with a key that is none of ours."""
    return Sections({"MODEL": Sections({"MASK_ON": False, "DEVICE": "cuda", "KEYPOINTS": 17}), "SEED": -1})


def test_a_command_line_has_keys_of_both() -> None:
    cfg = fresh()
    own = read_config(cfg, CONFIG, ["MODEL.KEYPOINTS", "4", "SOLVER.BASE_LR", "1", "MODEL.MASK_ON", "False"])
    assert (cfg.MODEL.KEYPOINTS, cfg.MODEL.MASK_ON) == (4, False)
    assert own == load_config(CONFIG, ["SOLVER.BASE_LR", "1"])
    assert frozenseg_config(cfg.clone()).origins()["SOLVER.BASE_LR"] == "command line"
    expected = own.clone()
    expected.defrost()
    expected.MODEL.DEVICE = cfg.MODEL.DEVICE
    assert frozenseg_config(cfg) == expected


@pytest.mark.parametrize(
    ("path", "opts", "said"),
    [
        ("nowhere.yaml", [], "There is no config file nowhere.yaml"),
        (CONFIG, ["SOLVER.MAX_ITR", "3"], "unknown key 'SOLVER.MAX_ITR'. Did you mean 'SOLVER.MAX_ITER'"),
        (CONFIG, ["SOLVER.MAX_ITER"], "command line: 'SOLVER.MAX_ITER' has no value"),
        (CONFIG, ["SOLVER.MAX_ITER", "soon"], "SOLVER.MAX_ITER is 'soon' (str), expected a whole number"),
        (CONFIG, ["MODEL.MASK_FORMER.PRE_NORM", "True"], "this model supports only False: remove the key"),
        (CONFIG, ["MODEL.KEYPOINTS", "many"], "Wrong key of Detectron2 in .*for config key: MODEL.KEYPOINTS"),
    ],
)
def test_wrong_input_is_one_sentence(path: str, opts: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_config(fresh(), path, opts)
    assert re.search(said.replace("(", r"\(").replace(")", r"\)"), str(error.value))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_yaml_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("SEED: [1\nMODEL: }\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="broken.yaml is not plain YAML: .* in line 2"):
        read_config(fresh(), str(file), [])


def test_keys_that_do_nothing_there_are_named(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_keys_without_effect(load_config(CONFIG))
    assert caplog.text == ""
    opts = ["TEST.COMPARE", True, "TEST.SAVE_PREDICTIONS", True, "SOLVER.MAX_BAD_STEPS", 3, "LOG_PERIOD", 1]
    warn_of_keys_without_effect(load_config(CONFIG, opts))
    assert [record.message for record in caplog.records] == [
        "Keys without effect under Detectron2's trainer: TEST.COMPARE (--compare), "
        "TEST.SAVE_PREDICTIONS (--save-predictions), SOLVER.MAX_BAD_STEPS."
    ]


def test_a_batch_in_parts_is_refused() -> None:
    check_images_at_once(load_config(CONFIG))
    with pytest.raises(ConfigError, match="SOLVER.IMAGES_AT_ONCE is 4, but .* set it to 0"):
        check_images_at_once(load_config(CONFIG, ["SOLVER.IMAGES_AT_ONCE", 4]))


def test_instances_do_what_its_instances_do() -> None:
    instances = Instances((4, 5), gt_classes=torch.tensor([1, 2]))
    assert {"image_size", "set", "get", "has", "get_fields", "to"} <= set(dir(instances))
    assert len(instances[instances.gt_classes > 1]) == 1


def test_batches_may_say_more_than_is_read() -> None:
    model = build_model(tiny_config("FCCLIP"), TRAINING).train()
    batch = [{**element, "file_name": "x.jpg", "annotations": []} for element in training_batch()]
    assert all(name.startswith("loss_") for name in model(batch))


def test_the_page_needs_ten_lines(ten_lines: str) -> None:
    assert len([line for line in ten_lines.splitlines() if line]) == 10
    compile(ten_lines, "GETTING_STARTED.md", "exec")


@pytest.mark.skipif(importlib.util.find_spec("detectron2") is not None, reason="Detectron2 is installed")
def test_its_engine_without_it_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config-file", "configs/toyworld/frozenseg_tiny.yaml", "--engine", "detectron2"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: --engine detectron2 needs Detectron2, which is not installed: see ")
    assert said.count("\n") == 1
