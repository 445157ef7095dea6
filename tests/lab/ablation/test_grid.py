"""Ablations share trainings, completed jobs are not run again, and the results become tables and plots."""

import csv
import json
import sys
from pathlib import Path

import pytest

from frozenseg.errors import ConfigError
from lab.ablation.grid import Ablation, read_ablations
from lab.ablation.jobs import RECORD, RunFailedError
from lab.ablation.run import evaluation_jobs, run_grid, training_job
from lab.ablation.table import COST, TOYWORLD, Row, StudyResults, markdown_table, write_csv
from tests.tiny import ROOT
from tools import ablate

ABLATIONS = ROOT / "configs/ablations"
SHIPPED = sorted(ABLATIONS.glob("*.yaml"))


def ablations(*names: str, model: Path | None = None, options: tuple[str, ...] = ()) -> list[Ablation]:
    return read_ablations([ABLATIONS / f"{name}.yaml" for name in names], model, options)


def test_shipped_ablations_have_descriptions_and_share_trainings():
    shipped = read_ablations(SHIPPED, None, ())
    assert len({ablation.description for ablation in shipped}) == len(shipped)
    trained = {ablation.training for ablation in shipped}
    names = [ablation.name for ablation in shipped]
    of_evaluation = ("alpha", "beta", "mask_", "void_", "released_pooling")
    evaluated_only = [name for name in names if name.startswith(of_evaluation) or name.endswith("_only")]
    assert len(shipped) - len(trained) == len(evaluated_only)


def test_ablations_of_evaluation_keys_share_a_training():
    both, ensemble, everywhere, query = ablations(
        "both_injectors", "mask_ensemble", "mask_ensemble_everywhere", "query_injector"
    )
    assert both.training == ensemble.training == everywhere.training != query.training
    assert len({each.evaluation for each in (both, ensemble, everywhere, query)}) == 4
    for changed in (("SOLVER.MAX_ITER", "7"), ("MODEL.WEIGHTS", "start.pth")):  # a training starts from weights
        assert ablations("both_injectors", options=changed)[0].training != both.training


def test_an_ablation_can_change_another_model():
    model = ROOT / "configs/frozenseg/convnext_large.yaml"
    [ablation] = ablations("query_injector", model=model)
    assert ablation.config_file == model
    assert ablation.options == ("MODEL.MASK_FORMER.SAM_FEATURE_FUSE_LAYER", "-1")


def test_two_files_of_one_name_are_refused(tmp_path: Path):
    other = tmp_path / "fcclip.yaml"
    other.write_text((ABLATIONS / "fcclip.yaml").read_text().replace("../toyworld", str(ROOT / "configs/toyworld")))
    with pytest.raises(ConfigError, match="Two configs are named 'fcclip'"):
        read_ablations([ABLATIONS / "fcclip.yaml", other], None, ())


def test_a_config_without_a_description_is_refused(tmp_path: Path):
    file = tmp_path / "silent.yaml"
    file.write_text("SEED: 1\n")
    with pytest.raises(ConfigError, match="its first line is 'SEED: 1', but must be a comment"):
        read_ablations([file], None, ())


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the scripts by a fake one; returns the file with the calls of it."""
    script = tmp_path / "tool.py"
    script.write_text(
        "import json, os, pathlib, sys, time\n"
        "folder = pathlib.Path(sys.argv[sys.argv.index('OUTPUT_DIR') + 1])\n"
        "with open(pathlib.Path(__file__).with_name('calls.txt'), 'a') as file:\n"
        "    print(json.dumps(sys.argv[1:]), file=file)\n"
        "mood = os.environ.get('MOOD')\n"
        "if mood == 'broken' and sys.argv[sys.argv.index('SEED') + 1] == '0': sys.exit('broken on purpose')\n"
        "if mood == 'broken': time.sleep(2)\n"
        "if mood == 'stopped': sys.exit((folder / 'last_checkpoint').write_text('model_0000001.pth') * 0)\n"
        "(folder / 'inference').mkdir(parents=True, exist_ok=True)\n"
        "for name in ('model_final.pth', 'inference/results.json', 'majority.json', 'colour.json', 'outline.json'):\n"
        "    (folder / name).write_text('{}')\n"
    )
    monkeypatch.setattr("lab.ablation.run.TRAIN_NET", str(script))
    monkeypatch.setattr("lab.ablation.run.TOYWORLD_BASELINES", str(script))
    return script.with_name("calls.txt")


def calls(file: Path) -> list[list[str]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def trainings(seen: list[list[str]]) -> int:
    return sum(
        "--eval-only" not in call and "--output" not in call for call in seen
    )  # neither an evaluation nor the baselines


def test_a_grid_runs_once(tmp_path: Path, processes: Path):
    study = ablations("both_injectors", "mask_ensemble")
    run_grid(study, [0, 1], tmp_path / "grid", at_once=2)
    seen = calls(processes)
    assert trainings(seen) == 2  # one training, two seeds
    assert sum("TEST.SHUFFLE_CLASS_NAMES" in call for call in seen) == 4
    assert len(seen) == 2 + 8 + 1
    assert all("--eval-only" in call or "--output" in call for call in seen[2:])  # weights before their evaluations
    run_grid(study, [0, 1], tmp_path / "grid", at_once=1)
    assert len(calls(processes)) == len(seen)
    (evaluation_jobs(study[0], 1, tmp_path / "grid")[0].folder / RECORD).unlink()
    run_grid(study, [0, 1], tmp_path / "grid", at_once=1)
    assert len(calls(processes)) == len(seen) + 1


def test_changed_evaluations_run_again(tmp_path: Path, processes: Path):
    model = f"_BASE_: {ROOT / 'configs/toyworld/frozenseg_tiny.yaml'}"
    file = tmp_path / "points.yaml"
    for points in (8, 16):
        file.write_text(f"# 8 or 16 points.\n{model}\nTEST:\n  SAM_MASK_POINTS: {points}\n")
        run_grid(read_ablations([file], None, ()), [0], tmp_path / "grid", at_once=1)
    seen = calls(processes)
    assert sum("--eval-only" in call for call in seen) == 4
    assert trainings(seen) == 1


def test_a_shared_training_is_completed_for_all_its_ablations(tmp_path: Path, processes: Path):
    first, second = ablations("both_injectors", "alpha_0p2")
    run_grid([first], [0], tmp_path / "grid", at_once=1)
    assert training_job(second, 0, tmp_path / "grid").seconds is not None
    run_grid([second], [0], tmp_path / "grid", at_once=1)
    assert trainings(calls(processes)) == 1


def test_an_interrupted_training_is_resumed(tmp_path: Path, processes: Path):
    [ablation] = ablations("fcclip")
    folder = training_job(ablation, 0, tmp_path / "grid").folder
    folder.mkdir(parents=True)
    (folder / "last_checkpoint").write_text("model_0000400.pth")
    run_grid([ablation], [0], tmp_path / "grid", at_once=1)
    assert "--resume" in calls(processes)[0]


def test_a_stopped_training_is_resumed_and_its_time_counts(
    tmp_path: Path, processes: Path, monkeypatch: pytest.MonkeyPatch
):
    [ablation] = ablations("fcclip")
    job = training_job(ablation, 0, tmp_path / "grid")
    monkeypatch.setenv("MOOD", "stopped")  # by a signal: its exit code is 0
    with pytest.raises(RunFailedError, match="training of fcclip, seed 0 was stopped before completion"):
        run_grid([ablation], [0], tmp_path / "grid", at_once=1)
    assert job.seconds is None
    job.record(1000.0, done=False)
    monkeypatch.delenv("MOOD")
    run_grid([ablation], [0], tmp_path / "grid", at_once=1)
    assert "--resume" in calls(processes)[1]
    assert 1000 <= job.seconds < 1100


def test_a_failure_shows_the_end_of_its_log_and_terminates_all(
    tmp_path: Path, processes: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MOOD", "broken")
    with pytest.raises(
        RunFailedError, match=r"training of fcclip, seed 0 failed with exit code 1[\s\S]*broken on purpose"
    ):
        run_grid(ablations("fcclip"), list(range(20)), tmp_path / "grid", at_once=1)
    assert not list(tmp_path.rglob("model_final.pth"))  # a second one may have started; it was terminated
    assert len(list((tmp_path / "grid/trainings").iterdir())) <= 2
    assert all(training_job(ablations("fcclip")[0], seed, tmp_path / "grid").seconds is None for seed in range(20))


def results() -> StudyResults:
    [ablation] = ablations("both_injectors")
    titles = [column.title for column in TOYWORLD]
    rows = {seed: {**dict.fromkeys(titles, 40.0 + seed), COST[0]: 3.0, COST[1]: 12345.0} for seed in (0, 2)}
    baselines = {"majority": {"toyworld_val_seen": {"panoptic_seg": {"PQ": 1.5}}}}
    return StudyResults(TOYWORLD, (Row(ablation, rows),), baselines)


def test_the_table_has_mean_and_deviation():
    table = markdown_table(results())
    assert "41.0 ± 1.4" in table  # of 40 and 42
    assert "12 345" in table
    [baseline] = [line for line in table.splitlines() if "baseline: majority" in line]
    assert "1.5" in baseline
    assert "–" in baseline


def test_every_number_is_written(tmp_path: Path):
    write_csv(tmp_path / "raw.csv", results())
    with (tmp_path / "raw.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [(row["ablation"], row["seed"], row["seen PQ"]) for row in read] == [
        ("both_injectors", "0", "40.0"), ("both_injectors", "2", "42.0"),
    ]  # fmt: skip


def test_the_plot_is_drawn(tmp_path: Path):
    from PIL import Image

    from lab.ablation.plot import draw_results

    draw_results(results(), tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as plot:
        assert min(plot.size) > 50


def test_missing_matplotlib_is_reported_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch):
    from lab.ablation.plot import check_matplotlib

    check_matplotlib()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"Plots need matplotlib: pip install -e '\.\[plot\]'"):
        check_matplotlib()


@pytest.mark.parametrize("toyworld", [True, False])
def test_a_study_on_any_benchmark_writes_table_numbers_and_plot(
    toyworld: bool, tmp_path: Path, processes: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    model = [] if toyworld else ["--model", str(ROOT / "configs/frozenseg/convnext_large.yaml")]
    benchmark = "toyworld_val_unseen" if toyworld else "openvocab_coco_2017_val_panoptic_with_sem_seg"
    scores = json.dumps({benchmark: {"panoptic_seg": {"PQ": 31.25, "U_PQ": 12.5}}})
    script = processes.with_name("tool.py")
    script.write_text(script.read_text().replace("write_text('{}')", f"write_text('{scores}')"))
    monkeypatch.setattr("lab.ablation.table._trained_parameters", lambda folder: 7)
    arguments = [str(ABLATIONS / "query_injector.yaml"), *model, "--seeds", "0", "--output", str(tmp_path / "out")]
    assert ablate.main(arguments) == 0
    table = (tmp_path / "out/ablation.md").read_text()
    assert "12.5" in table
    assert ("31.2" in table) is not toyworld  # the table of ToyWorld has no such column
    assert ("baseline: colour" in table) is toyworld
    assert "mIoU" not in table  # not in the results
    assert (tmp_path / "out/ablation.csv").is_file()
    assert (tmp_path / "out/ablation.png").is_file()
    assert "12.5" in capsys.readouterr().out


def test_options_may_follow_the_seeds(capsys: pytest.CaptureFixture):
    first, second = map(str, SHIPPED[:2])
    for argv in (
        [first, second, "--seeds", "0", "2", "SEED", "3"],
        [first, second, "SEED", "3", "--seeds", "0", "2"],
        [first, "--seeds", "0", "2", second, "SEED", "3"],
        ["--seeds", "0", "2", first, second, "SEED", "3"],
    ):
        arguments = ablate.parse_arguments(argv)
        assert (arguments.configs, arguments.seeds, arguments.options) == (SHIPPED[:2], [0, 2], ["SEED", "3"])
    for wrong in (["first"], ["0", "1x"], ["0", ""]):
        with pytest.raises(SystemExit):
            ablate.parse_arguments([first, "--seeds", *wrong])
        assert f"{wrong[-1]!r} is not a seed" in capsys.readouterr().err


def test_wrong_arguments_are_refused(capsys: pytest.CaptureFixture):
    assert ablate.main(["SOLVER.MAX_ITER", "3"]) == 2
    assert "No config is given" in capsys.readouterr().err
    assert ablate.main([str(SHIPPED[0]), "--at-once", "0"]) == 2
