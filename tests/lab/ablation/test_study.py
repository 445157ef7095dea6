"""A study of questions: shared trainings, plan, resumption, recorded inputs, and answers from saved counts."""

import csv
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from frozenseg.config import load_config
from frozenseg.data.loader import TrainDataset
from frozenseg.data.run_vocabulary import resolve_for_run
from frozenseg.engine.checkpoints.checkpoint_index import KeepPolicy
from frozenseg.errors import DataError
from frozenseg.toyworld.export import Recipe, export_split
from lab.ablation import answers
from lab.ablation.answers import answer
from lab.ablation.questions import Questions, read_questions
from lab.ablation.study import Study, plan
from tests.lab.ablation.test_questions import SHIPPED, written
from tools import ablate

SCENES = 6
SECOND = """\
  proposals:
    question: Do proposals help?
    claim: They help.
    arm: mask_ensemble_everywhere
    partner: both_injectors
    expected: higher
    benchmark: toyworld_val_unseen
    metric: U_PQ
curves:"""
SCRIPT = """\
import json, os, pathlib, random, re, sys
arguments = sys.argv[1:]
value = lambda key: arguments[arguments.index(key) + 1]
folder = pathlib.Path(value("OUTPUT_DIR"))
with open(pathlib.Path(__file__).with_name("calls.txt"), "a") as file:
    print(json.dumps(arguments), file=file)
if "--eval-only" not in arguments:
    if os.environ.get("BROKEN") == value("SEED"): sys.exit("broken on purpose")
    for step in (2, 6): (folder / f"model_{step:07d}.pth").write_text("")
    (folder / "model_final.pth").write_text("")
    sys.exit()
config, [benchmark] = pathlib.Path(value("--config-file")).stem, json.loads(value("DATASETS.TEST").replace("'", '"'))
assert pathlib.Path(value("--weights")).is_file()
steps = re.findall("model_0*([0-9]+).pth", value("--weights"))
found = 6 if config == "query_injector" else int(steps[0]) if steps else 4  # of 8 objects
noise = random.Random(config + value("SEED"))
images = {f"{n}.jpg": [[0, found, 1, 8 - found, found * noise.uniform(0.7, 0.8)], [1, 1, 0, 0, 0.9]] for n in range(6)}
subsets = {"S": [False, True], "U": [True, False]}
classes = {"names": ["heart", "star"], "isthing": [True, True], "subsets": subsets}
(folder / "inference").mkdir(parents=True, exist_ok=True)
(folder / f"inference/{benchmark}_image_counts.json").write_text(json.dumps({"classes": classes, "images": images}))
"""


@pytest.fixture(autouse=True)
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace train_net.py by a fake one, and make a small data set; returns the file with the calls."""
    script = tmp_path / "tool.py"
    script.write_text(SCRIPT)
    monkeypatch.setattr("lab.ablation.run.TRAIN_NET", str(script))
    monkeypatch.setattr("lab.ablation.study.TRAIN_NET", str(script))
    for split in ("train", "val_unseen"):
        export_split(tmp_path / "toyworld" / split, Recipe(split, 0, SCENES), quiet=True)
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    return tmp_path / "calls.txt"


def called(file: Path) -> list[list[str]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def run(folder: Path, *arguments: str, file: Path | None = None) -> int:
    path = file or written(folder, ("curves:", SECOND))
    return ablate.main(["--questions", str(path), "--output", str(folder / "out"), "--at-once", "1", *arguments])


def questions(folder: Path) -> Questions:
    return read_questions(written(folder, ("curves:", SECOND)))


def test_ablations_that_share_a_training_are_in_one_chain(tmp_path: Path) -> None:
    study = Study.of(questions(tmp_path), tmp_path / "out")
    query, proposals = study.questions.questions
    assert [len(chain) for chain in study.chains(query)] == [2, 2, 2, 2]  # two arms, two seeds: training, evaluation
    assert [len(chain) for chain in study.chains(proposals)] == [3, 3]  # one training for both arms
    assert [len(chain) for chain in study.curve_chains()] == [3]  # one training, evaluated after 2 and 6 steps
    command = study.chains(query)[0][0].command
    assert command[command.index("MODEL.INITIAL_VALUES_BY_NAME") + 1] == "True"
    assert command[command.index("SOLVER.MAX_ITER") + 1] == "4"
    [curve] = study.curve_chains()
    assert curve[0].command[curve[0].command.index("SOLVER.CHECKPOINT_PERIOD") + 1] == "2"
    assert [Path(job.command[job.command.index("--weights") + 1]).name for job in curve[1:]] == [
        "model_0000002.pth", "model_0000006.pth",
    ]  # fmt: skip


def test_a_training_keeps_the_checkpoints_of_its_learning_curve() -> None:
    study = Study.of(read_questions(SHIPPED), Path("out"))
    curves = study.questions.curves
    assert curves is not None
    for ablation in study.curve_ablations.values():
        cfg = load_config(ablation.config_file, ablation.options)
        period, last = cfg.SOLVER.CHECKPOINT_PERIOD, cfg.SOLVER.MAX_ITER
        entries = {
            f"model_{step:07d}.pth": {"iteration": step, "results": {}} for step in range(period, last + 1, period)
        }
        kept = entries.keys() - set(KeepPolicy.from_config(cfg).to_delete(entries))
        assert {f"model_{steps:07d}.pth" for steps in curves.steps} <= kept


def test_the_plan_counts_shared_trainings_once_and_uses_measured_times(tmp_path: Path) -> None:
    study = Study.of(questions(tmp_path), tmp_path / "out")
    query, _ = study.questions.questions
    parts = plan(study, study.questions.questions, with_curves=True)
    assert [(part.trainings, part.evaluations, part.completed) for part in parts] == [(4, 4, 0), (2, 4, 0), (1, 2, 0)]
    assert parts[0].seconds == 4 * (4 * 1.0) + 4 * (SCENES * 0.5)
    assert parts[2].seconds == 6 * 1.0 + 2 * (SCENES * 0.5)
    training = study.chains(query)[0][0]
    training.folder.mkdir(parents=True)
    training.record(40.0, done=True)  # ten seconds a step
    parts = plan(study, study.questions.questions, with_curves=False)
    assert parts[0].completed == 1
    assert parts[0].seconds == 3 * (4 * 10.0) + 4 * (SCENES * 0.5)


def test_a_study_answers_its_questions_and_runs_once(
    tmp_path: Path, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path) == 0
    out = tmp_path / "out"
    first = called(calls)
    assert len(first) == (4 + 4) + (2 + 4) + (1 + 2)
    table = capsys.readouterr().out
    assert "supported" in table.partition("| query ")[2].partition("\n")[0]
    assert "undecided" in table.partition("| proposals ")[2].partition("\n")[0]
    with (out / "answers.csv").open(newline="") as file:
        rows = {row["question"]: row for row in csv.DictReader(file)}
    assert float(rows["query"]["low"]) > 0
    assert float(rows["query"]["arm, seed 3"]) - float(rows["query"]["partner, seed 3"]) == pytest.approx(14, abs=4)
    page = (out / "answers.md").read_text()
    assert "Does it help? Claim: It helps. **supported**" in page
    assert questions(tmp_path).sha256[:12] in page
    assert "have changed" not in page
    assert (out / "learning_curves.csv").read_text().splitlines()[1].startswith("fcclip,0,2,")
    for plot in ("forest.png", "learning_curves.png"):
        assert (out / plot).stat().st_size > 5_000
    assert run(tmp_path) == 0
    assert len(called(calls)) == len(first)
    assert (out / "answers.md").read_text() == page


def test_a_broken_study_keeps_its_answers_and_resumes_to_the_same_result(
    tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ("--question", "query", "--question", "proposals")
    assert run(tmp_path, "--question", "query") == 0
    monkeypatch.setenv("BROKEN", "3")
    assert run(tmp_path, *both) == 2
    assert "broken on purpose" in capsys.readouterr().err
    page = (tmp_path / "out/answers.md").read_text()
    assert "**supported**" in page
    assert "Not answered yet: proposals." in page
    monkeypatch.delenv("BROKEN")
    assert run(tmp_path, *both) == 0
    assert sum("--eval-only" not in call for call in called(calls)) == 4 + 3  # seed 3 of proposals twice
    resumed = (tmp_path / "out/answers.csv").read_text().splitlines()
    other = tmp_path / "other"
    other.mkdir()
    assert run(other, "--question", "proposals") == 0
    assert (other / "out/answers.csv").read_text().splitlines() == [resumed[0], resumed[2]]


def test_a_part_of_the_questions_and_seeds_can_be_repeated(
    tmp_path: Path, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--question", "proposals", "--seeds", "3", "0") == 0
    assert sum("--eval-only" not in call for call in called(calls)) == 2
    assert "| query" not in capsys.readouterr().out
    assert run(tmp_path, "--question", "query", "--seeds", "0", "1") == 2
    assert "give at least 2 of the seeds in" in capsys.readouterr().err


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    tmp_path: Path, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--dry-run") == 0
    assert "total" in capsys.readouterr().out
    assert called(calls) == []
    assert not (tmp_path / "out").exists()


def test_a_change_of_the_questions_is_reported_and_one_of_the_data_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--question", "query") == 0
    before = questions(tmp_path).sha256[:12]
    changed = written(tmp_path, ("curves:", SECOND), ("smallest: 0.0", "smallest: 90.0"))
    assert run(tmp_path, "--question", "query", file=changed) == 0
    page = (tmp_path / "out/answers.md").read_text()
    assert f"**The questions have changed since the first run.** Earlier versions: `{before}`" in page
    assert "**undecided**" in page
    assert len(list((tmp_path / "out").glob("questions_*.yaml"))) == 2
    export_split(tmp_path / "toyworld/train", Recipe("train", 1, SCENES), quiet=True)
    capsys.readouterr()
    assert run(tmp_path, "--question", "query") == 2
    assert "data set toyworld_train has changed since the first run of the study in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("scenes: 6", "scenes: 7", "toyworld_val_unseen has 6 scenes, but study.scenes of"),
        (
            "metric: U_PQ\ncurves",
            "metric: word_QP\ncurves",
            "'word_QP' is not a metric of toyworld_val_unseen. Did you",
        ),
    ],
)
def test_questions_that_do_not_fit_the_data_are_refused_before_any_training(
    tmp_path: Path, calls: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, message: str
) -> None:
    assert run(tmp_path, file=written(tmp_path, (before, after))) == 2
    assert message in capsys.readouterr().err
    assert called(calls) == []


def test_evaluations_on_other_scenes_are_not_compared(tmp_path: Path) -> None:
    assert run(tmp_path, "--question", "query") == 0
    study = Study.of(questions(tmp_path), tmp_path / "out")
    query = study.questions.questions[0]
    cell = study.cells(query)[1][0]
    content = json.loads(cell.counts_file.read_text())
    content["images"]["another.jpg"] = content["images"].pop("0.jpg")
    cell.counts_file.write_text(json.dumps(content))
    with pytest.raises(DataError, match="has other scenes than .* delete both folders"):
        answer(study, query)


def test_a_metric_without_classes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(tmp_path, "--question", "query") == 0
    study = Study.of(questions(tmp_path), tmp_path / "out")
    query = study.questions.questions[0]
    monkeypatch.setattr(answers, "members_of", lambda table, metric: np.zeros(len(table), dtype=bool))
    with pytest.raises(DataError, match=f"has no class of {query.metric}: choose another metric or benchmark"):
        answer(study, query)


def test_wrong_arguments_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--dry-run"], ["--question", "query"]):
        with pytest.raises(SystemExit):
            ablate.main(arguments)
        assert "need --questions FILE" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(tmp_path, "SOLVER.MAX_ITER", "3")
    assert "with --questions, the file fixes configs and keys" in capsys.readouterr().err
    (tmp_path / "out").write_text("a file")
    assert run(tmp_path) == 2
    assert "--output" in capsys.readouterr().err


def test_both_arms_of_a_seed_train_on_the_same_images_and_points(tmp_path: Path) -> None:
    study = Study.of(questions(tmp_path), tmp_path / "out")
    batches = []
    for name in ("query_injector", "fcclip"):
        ablation = study.ablations[name]
        cfg = load_config(ablation.config_file, [*ablation.options, "SEED", 3])
        dataset = TrainDataset.open(cfg, [resolve_for_run(cfg, "toyworld_train")])
        batches.append(list(itertools.islice(dataset.batches(0), 4)))  # more than one pass over the images
    for arm, partner in zip(*(itertools.chain(*of_arm) for of_arm in batches), strict=True):
        assert arm["file_name"] == partner["file_name"]
        assert arm["seed"] == partner["seed"]
        assert torch.equal(arm["image"], partner["image"])
        assert torch.equal(arm["instances"].gt_masks, partner["instances"].gt_masks)
