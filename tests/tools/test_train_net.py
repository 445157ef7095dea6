"""The training script from end to end, on a ToyWorld of eight images."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from frozenseg.evaluation.class_table import mean_of_known
from frozenseg.evaluation.image_counts import read_image_counts
from frozenseg.evaluation.panoptic_matching import PanopticCounts
from frozenseg.evaluation.panoptic_quality import class_qualities
from frozenseg.evaluation.prediction_file_metrics.panoptic import score_panoptic_files
from frozenseg.evaluation.resume_log import ResumeLog
from frozenseg.toyworld.export import Recipe, export_split
from tests.tiny import NARROW, ROOT
from tools.train_net import main

CONFIG = str(ROOT / "configs/toyworld/frozenseg_tiny.yaml")
FCCLIP = str(ROOT / "configs/toyworld/fcclip_tiny.yaml")
SMALL = [
    *map(str, NARROW), "SOLVER.IMS_PER_BATCH", "2", "SOLVER.WARMUP_ITERS", "1", "SOLVER.CHECKPOINT_PERIOD", "2",
    "INPUT.IMAGE_SIZE", "64", "INPUT.MIN_SIZE_TEST", "64", "MODEL.DEVICE", "cpu",
]  # fmt: skip


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for split, count in (("train", 8), ("val_seen", 3), ("val_unseen", 3)):
        export_split(root / "toyworld" / split, Recipe(split, 0, count, 64, 64), quiet=True)
    return root


@pytest.fixture(autouse=True)
def _where_data_are(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETECTRON2_DATASETS", str(pictures))


def train_net(*arguments: Any, config: str = CONFIG) -> int:
    return main(["--config-file", config, *map(str, arguments), *SMALL])


def metrics(folder: Path) -> dict[int, dict[str, float]]:
    lines = map(json.loads, (folder / "metrics.json").read_text().splitlines())
    merged: dict[int, dict[str, float]] = {}
    for line in lines:
        merged.setdefault(line["iteration"], {}).update(line)
    return merged


def scores(folder: Path) -> dict[str, Any]:
    """Return the results without what was run, which names files and seconds."""
    results = json.loads((folder / "inference" / "results.json").read_text())
    return {name: {key: value for key, value in of_it.items() if key != "about"} for name, of_it in results.items()}


def drawings(folder: Path) -> list[str]:
    """Return the best and the worst images of the report, in order."""
    return re.findall(r'src="(data:[^"]+)"', (folder / "inference" / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trained(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DETECTRON2_DATASETS", str(pictures))
        options = ["SOLVER.MAX_ITER", 4, "TEST.EVAL_PERIOD", 3, "TEST.SAVE_IMAGE_COUNTS", True]
        assert train_net("OUTPUT_DIR", folder, *options) == 0
    return folder


def test_a_run_leaves_everything_in_its_folder(trained: Path) -> None:
    names = {path.relative_to(trained).as_posix() for path in trained.rglob("*") if path.is_file()}
    checkpoints = {"model_0000002.pth", "model_0000004.pth", "model_final.pth", "last_checkpoint", "checkpoints.json"}
    assert checkpoints | {"config.yaml", "log.txt", "metrics.json", "inference/results.json"} <= names
    assert {"inference/report.html", "inference/toyworld_val_seen_per_class.csv"} <= names
    assert yaml.safe_load((trained / "config.yaml").read_text())["SOLVER"]["MAX_ITER"] == 4
    log = (trained / "log.txt").read_text()
    assert "Environment: " in log
    assert f"Output folder: {trained}" in log


def test_results_have_the_fixed_form(trained: Path) -> None:
    results = json.loads((trained / "inference" / "results.json").read_text())
    assert list(results) == ["toyworld_val_seen", "toyworld_val_unseen"]
    for tasks in results.values():
        assert {"PQ", "PQ_th", "S_PQ", "U_PQ"} <= tasks["panoptic_seg"].keys()
        assert "mIoU" in tasks["sem_seg"]
        assert "AP" in tasks["segm"]
    assert "material_PQ" in results["toyworld_val_unseen"]["panoptic_seg"]


def test_metrics_have_the_fixed_form(trained: Path) -> None:
    lines = metrics(trained)
    assert list(lines) == [1, 3, 4]
    for line in (lines[1], lines[4]):
        assert line["total_loss"] == pytest.approx(line["loss_ce"] + line["loss_mask"] + line["loss_dice"])
        assert {"lr", "data_time", "time", "memory"} <= line.keys()
    assert "toyworld_val_seen/panoptic_seg/PQ" in lines[3]


def test_the_checkpoint_holds_no_frozen_weights(trained: Path) -> None:
    final = torch.load(trained / "model_final.pth", weights_only=True)
    assert sorted(final["frozen"]) == ["backbone", "sam"]
    assert not [name for name in final["model"] if name.startswith(("backbone", "sam."))]
    assert len(final["vocabulary"]) == len(final["isthing"])


def test_a_killed_run_resumes_to_the_same_losses(trained: Path, tmp_path: Path) -> None:
    for name in ("model_0000002.pth", "metrics.json"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    (tmp_path / "last_checkpoint").write_text("model_0000002.pth\n")
    assert train_net("--resume", "OUTPUT_DIR", tmp_path, "SOLVER.MAX_ITER", 4, "TEST.EVAL_PERIOD", 3) == 0
    measured = {"data_time", "time", "memory"}
    measured |= {"queries_matched", "matched_probability", "matched_iou"}  # means over the steps since the last line
    before, after = metrics(trained), metrics(tmp_path)
    for iteration, line in before.items():
        assert {k: v for k, v in after[iteration].items() if k not in measured} == {
            k: v for k, v in line.items() if k not in measured
        }
    for name, value in torch.load(trained / "model_final.pth", weights_only=True)["model"].items():
        assert torch.equal(torch.load(tmp_path / "model_final.pth", weights_only=True)["model"][name], value)


def test_an_evaluation_that_was_left_is_done_when_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def evaluate(*_: Any, **__: Any) -> dict[str, Any]:
        calls.append("evaluation")
        if len(calls) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"toyworld_val_seen": {"panoptic_seg": {"PQ": 10.0 * len(calls)}}}

    for name in ("run", "training_run"):
        monkeypatch.setattr(f"frozenseg.engine.{name}.evaluate", evaluate)
    options = ["OUTPUT_DIR", tmp_path, "SOLVER.MAX_ITER", 2, "TEST.EVAL_PERIOD", 1, "LOG_PERIOD", 1]
    assert train_net(*options) == 0
    assert (len(calls), list(metrics(tmp_path))) == (1, [1])
    assert train_net("--resume", *options) == 0
    assert len(calls) == 3
    name = "toyworld_val_seen/panoptic_seg/PQ"
    assert {step: line[name] for step, line in metrics(tmp_path).items()} == {1: 20.0, 2: 30.0}
    entries = json.loads((tmp_path / "checkpoints.json").read_text())
    assert [entry["results"] for entry in entries.values()] == [{name: 20.0}, {name: 30.0}]


def test_a_finished_run_is_only_evaluated(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "model_0000004.pth").write_bytes((trained / "model_0000004.pth").read_bytes())
    (tmp_path / "last_checkpoint").write_text("model_0000004.pth\n")
    options = ["SOLVER.MAX_ITER", 4, "TEST.EVAL_PERIOD", 3, "SOLVER.BASE_LR", 0.5]
    assert train_net("--resume", "OUTPUT_DIR", tmp_path, *options) == 0
    log = (tmp_path / "log.txt").read_text()
    assert "has all 4 steps: nothing is left to train" in log
    assert "The config has changed since the checkpoint: SOLVER.BASE_LR." in log
    assert scores(tmp_path) == scores(trained)


def test_eval_only_gives_the_results_of_training(trained: Path, tmp_path: Path) -> None:
    assert train_net("--eval-only", "--weights", trained / "model_final.pth", "OUTPUT_DIR", tmp_path) == 0
    assert scores(tmp_path) == scores(trained)
    assert not (tmp_path / "metrics.json").exists()


def test_a_killed_evaluation_resumes_to_the_same_results(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe, seen = ResumeLog.observe, []

    def see_four(self: ResumeLog, record: dict[str, Any], output: dict[str, Any], contribution: Any) -> None:
        if len(seen) == 4:
            raise KeyboardInterrupt
        observe(self, record, output, contribution)
        seen.append(record["file_name"])

    options = ["--eval-only", "--weights", trained / "model_final.pth", "OUTPUT_DIR", tmp_path]
    options += ["TEST.SAVE_IMAGE_COUNTS", True]
    with monkeypatch.context() as patch:
        patch.setattr(ResumeLog, "observe", see_four)
        assert train_net(*options) == 130
    with monkeypatch.context() as patch:
        patch.setattr(ResumeLog, "observe", lambda self, record, *_: seen.append(record["file_name"]))
        assert train_net("--resume", *options) == 0
    assert len(seen) == len(set(seen)) == 6  # three pictures of each test set, each once
    assert "--resume: 3 images are evaluated already" in (tmp_path / "log.txt").read_text()
    assert scores(tmp_path) == scores(trained)
    assert drawings(tmp_path) == drawings(trained)
    assert len(drawings(trained)) == 6 * 4
    assert not list(tmp_path.rglob("journal_*"))
    counts = "inference/toyworld_val_seen_image_counts.json"
    assert json.loads((tmp_path / counts).read_text()) == json.loads((trained / counts).read_text())


def test_counts_of_images_are_those_of_the_reported_quality(trained: Path) -> None:
    for benchmark in ("toyworld_val_seen", "toyworld_val_unseen"):
        saved = read_image_counts(trained / f"inference/{benchmark}_image_counts.json")
        assert len(saved.images) == 3
        counts = PanopticCounts(*(values.sum(axis=0) for values in saved.counts))
        quality = 100 * mean_of_known(class_qualities(counts)["PQ"])
        assert quality == pytest.approx(scores(trained)[benchmark]["panoptic_seg"]["PQ"], abs=1e-9)


def test_results_say_what_was_run(trained: Path) -> None:
    about = json.loads((trained / "inference" / "results.json").read_text())["toyworld_val_unseen"]["about"]
    assert about["images"] == 3
    assert sorted(about["weights"]["frozen"]) == ["backbone", "sam"]
    assert about["vocabulary"]["sand"] == ["sand", "beach"]
    assert set(about["rules"]) == {"PanopticQuality", "SemanticIoU", "InstanceAP"}
    assert all(about["rules"].values())
    assert {"python", "torch", "frozenseg", "pycocotools"} <= about["libraries"].keys()
    assert about["seconds"]["model"] > 0
    assert about["config"]["SOLVER"]["MAX_ITER"] == 4
    lines = (trained / "inference" / "toyworld_val_unseen_per_class.csv").read_text().splitlines()
    assert lines[0] == "class,kind,seen,PQ,SQ,RQ,IoU,ACC,AP,AP50,AP75"
    assert len(lines) == 1 + len(about["vocabulary"])


def test_results_that_are_off_fail_the_run(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--eval-only", "--weights", trained / "model_final.pth", "OUTPUT_DIR", tmp_path]
    options += ["DATASETS.TEST", ["toyworld_val_seen"], "TEST.EXPECTED_RESULTS"]
    pq = scores(trained)["toyworld_val_seen"]["panoptic_seg"]["PQ"]
    assert train_net(*options, [["panoptic_seg", "PQ"]]) == 2
    assert "expected [task, metric, value, tolerance]" in capsys.readouterr().err
    assert not (tmp_path / "inference").exists()  # it was refused before any work
    assert train_net(*options, [["panoptic_seg", "PQ", pq, 1e-9], ["panoptic_seg", "PQ", pq + 1, 0.5]]) == 2
    assert "1 of 2 results differ from TEST.EXPECTED_RESULTS: toyworld_val_seen/" in capsys.readouterr().err
    assert drawings(tmp_path)


def test_saved_predictions_score_as_the_evaluation_did(trained: Path, tmp_path: Path, pictures: Path) -> None:
    options = ["--eval-only", "--save-predictions", "--weights", trained / "model_final.pth", "OUTPUT_DIR", tmp_path]
    assert train_net(*options) == 0
    name = "toyworld_val_seen"
    place, truth = tmp_path / "inference" / name / "predictions", pictures / "toyworld" / "val_seen"
    found = score_panoptic_files(
        truth / "panoptic.json", truth / "panoptic", place / "panoptic.json", place / "panoptic", workers=1
    )
    expected = scores(tmp_path)[name]["panoptic_seg"]
    assert found.results["panoptic_seg"]["PQ"] == pytest.approx(expected["PQ"], abs=1e-9)
    assert len(list((place / "semantic").iterdir())) == 3


def test_eval_only_with_shuffled_names_says_so(trained: Path, tmp_path: Path) -> None:
    assert train_net("--eval-only", "TEST.SHUFFLE_CLASS_NAMES", True, "OUTPUT_DIR", tmp_path) == 0
    log = (tmp_path / "log.txt").read_text()
    assert "Control: every class of toyworld_val_seen is prompted with the names of another class" in log
    assert "The evaluated model is untrained" in log


def test_nothing_to_resume_starts_afresh(tmp_path: Path) -> None:
    options = ["DATASETS.TEST", "[]", "SOLVER.MAX_ITER", 1, "SEED", -1]
    assert train_net("--resume", "OUTPUT_DIR", tmp_path, *options) == 0
    log = (tmp_path / "log.txt").read_text()
    assert "has no checkpoint to resume from" in log
    assert "Seed: " in log
    assert train_net("OUTPUT_DIR", tmp_path, *options) == 0
    assert "has an earlier run, which this new one replaces" in (tmp_path / "log.txt").read_text()
    assert (tmp_path / "metrics.previous.json").exists()


def test_two_processes_train_and_evaluate(tmp_path: Path) -> None:
    options = ["OUTPUT_DIR", tmp_path, "SOLVER.MAX_ITER", 1, "DATASETS.TEST", "['toyworld_val_seen']"]
    assert train_net("--num-gpus", 2, *options) == 0
    assert list(metrics(tmp_path)) == [1]
    assert (tmp_path / "log.txt.rank1").is_file()
    assert list(scores(tmp_path)) == ["toyworld_val_seen"]
    assert len(drawings(tmp_path)) == 3 * 4  # of both processes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["SOLVER.MAX_ITERS", 3], "SOLVER.MAX_ITER"),
        (["DATASETS.TRAIN", "[]"], "DATASETS.TRAIN is empty"),
        (["--eval-only", "DATASETS.TEST", "[]"], "DATASETS.TEST is empty"),
        (["DATASETS.TEST", "['toyworld_val']"], "Did you mean 'toyworld_val_seen'"),
        (["--weights", "nowhere.pth"], "There is no checkpoint nowhere.pth"),
        (["SOLVER.IMS_PER_BATCH", 0], "IMS_PER_BATCH is 0"),
        (["SOLVER.LR_SCHEDULER_NAME", "Poly"], "LR_SCHEDULER_NAME"),
        (["SOLVER.KEEP_CHECKPOINTS.LAST", -1], "KEEP_CHECKPOINTS.LAST is -1"),
        (["SOLVER.IMAGES_AT_ONCE", 3], "IMAGES_AT_ONCE is 3, but each process has 2 images"),
        (["MODEL.DEVICE", "tpu"], "MODEL.DEVICE is 'tpu'"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    arguments: list[Any], message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # the mistake stands last, so that it wins over SMALL
    assert main(["--config-file", CONFIG, *SMALL, "OUTPUT_DIR", str(tmp_path / "run"), *map(str, arguments)]) == 2
    errors = [line for line in capfd.readouterr().err.splitlines() if " I " not in line]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert message in errors[0]


def test_a_missing_config_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert train_net(config="configs/toyworld/nothing.yaml") == 2
    assert "configs/toyworld/nothing.yaml" in capsys.readouterr().err


def test_missing_data_tell_how_to_make_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "nowhere"))
    assert train_net("OUTPUT_DIR", tmp_path / "run") == 2
    errors = capsys.readouterr().err
    assert "frozenseg prepare toyworld" in errors
    assert "million parameters" not in errors  # told before the model is built


def test_a_checkpoint_of_another_architecture_is_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--eval-only", "--weights", trained / "model_final.pth", "OUTPUT_DIR", tmp_path]
    assert train_net(*arguments, config=FCCLIP) == 2
    error = capsys.readouterr().err
    assert "is of another architecture than the config. " in error
    assert "use a config with MODEL.META_ARCHITECTURE FrozenSeg" in error
    assert train_net(*arguments, "--allow-partial", config=FCCLIP) == 0
    assert "Loaded partially: " in (tmp_path / "log.txt").read_text()


def test_print_config(capsys: pytest.CaptureFixture[str]) -> None:
    assert train_net("--print-config", "SEED", 5) == 0
    resolved = yaml.safe_load(capsys.readouterr().out)
    assert resolved["SEED"] == 5
    assert resolved["MODEL"]["META_ARCHITECTURE"] == "FrozenSeg"


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    for word in ("--resume", "--num-gpus", "--print-config", "torchrun", "configs/toyworld/frozenseg_tiny.yaml"):
        assert word in text
