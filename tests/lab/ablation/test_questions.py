"""Questions files: the shipped one is complete, and a mistake is reported in one sentence with the entry."""

from pathlib import Path

import pytest

from frozenseg.errors import ConfigError
from lab.ablation.questions import HIGHER, Question, read_questions
from lab.ablation.study import Study
from tests.tiny import ROOT

SHIPPED = ROOT / "tools/lab/ablation/questions/toyworld.yaml"
SMALL = """\
study: {seeds: [0, 3], steps: 4, scenes: 6, options: [SOLVER.IMS_PER_BATCH, 2]}
rule: {level: 0.95, power: 0.8, resamples: 100, smallest: 0.0}
cost: {step: 1.0, scene: 0.5}
questions:
  query:
    question: Does it help?
    claim: It helps.
    arm: query_injector
    partner: fcclip
    expected: higher
    benchmark: toyworld_val_unseen
    metric: U_PQ
curves:
  arms: [fcclip]
  seeds: [0]
  steps: [2, 6]
  options: []
  benchmark: toyworld_val_unseen
  metric: U_PQ
"""


def written(folder: Path, *changes: tuple[str, str]) -> Path:
    text = SMALL
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path = folder / "questions.yaml"
    path.write_text(text)
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    questions = read_questions(written(tmp_path))
    assert (questions.seeds, questions.steps, questions.scenes) == ((0, 3), 4, 6)
    assert questions.options == ("SOLVER.IMS_PER_BATCH", "2")
    assert questions.questions == (
        Question(
            "query", "Does it help?", "It helps.", "query_injector", "fcclip", HIGHER, "toyworld_val_unseen", "U_PQ"
        ),
    )
    assert questions.curves is not None
    assert questions.curves.steps == (2, 6)
    assert read_questions(written(tmp_path, ("curves:", "# curves:"), *((f"\n  {key}", f"\n#  {key}") for key in
        ("arms", "seeds", "steps", "options", "benchmark", "metric")))).curves is None  # fmt: skip


def test_every_byte_changes_the_hash(tmp_path: Path) -> None:
    hashes = [read_questions(written(tmp_path, *change)).sha256 for change in ((), (("It helps.", "It  helps."),))]
    assert hashes[0] != hashes[1]


def test_the_shipped_questions_have_the_arms_of_the_paper_and_enough_seeds() -> None:
    questions = read_questions(SHIPPED)
    arms = {question.arm for question in questions.questions} | {question.partner for question in questions.questions}
    assert arms == {
        "fcclip", "query_injector", "feature_injector", "both_injectors", "random_sam", "released_sam_branch",
        "mask_ensemble_everywhere", "released_pooling", "void_discount_0p5",
    }  # fmt: skip
    assert len(questions.seeds) >= 8
    assert questions.curves is not None
    assert questions.curves.steps == (200, 700, 2000, 6000)
    Study.of(questions, Path("out"))  # every arm has a config


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("seeds: [0, 3]", "seeds: [0]", r"study\.seeds is \[0\], expected at least 2 seeds"),
        ("seeds: [0, 3]", "seeds: [0, 0]", r"study\.seeds is \[0, 0\], expected a list in which every number is once"),
        ("steps: 4", "steps: 0", r"study\.steps is 0, expected a whole number from 1"),
        ("steps: 4", "step: 4", r"has no value study\.steps"),
        ("scenes: 6", "scenes: true", r"study\.scenes is True, expected a whole number"),
        ("[SOLVER.IMS_PER_BATCH, 2]", "[SOLVER.IMS_PER_BATCH]", r"study\.options is .*, expected a list of keys"),
        ("level: 0.95", "level: 95", r"rule\.level is 95, expected a number between 0 and 1"),
        ("step: 1.0", "step: fast", r"cost\.step is 'fast', expected a number of seconds above 0"),
        ("expected: higher", "expected: better", r"query\.expected is 'better', expected 'higher' or 'lower'"),
        ("metric: U_PQ\ncurves", "metrics: U_PQ\ncurves", r"has no value questions\.query\.metric"),
        ("claim: It helps.", "claim: It helps.\n    calim: x", r"calim is unknown\. Did you mean 'claim'"),
        ("steps: [2, 6]", "steps: [6, 2]", r"curves\.steps is \[6, 2\], expected a list of numbers from 1 in"),
        ("  query:", "  curves:", r"a question cannot have the name 'curves'"),
        ("rule:", "rules:", r"has no section rule"),
        ("cost:", "costs: {a: 1}\ncost:", r"costs is unknown\. Did you mean 'cost'"),
        ("steps: 4,", "steps: 4, steps: 5,", r"key 'steps' is set twice"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_its_entry(tmp_path: Path, before: str, after: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_questions(written(tmp_path, (before, after)))


def test_missing_files_and_unknown_names_are_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"The questions .*none\.yaml cannot be read .*give an existing YAML file"):
        read_questions(tmp_path / "none.yaml")
    questions = read_questions(written(tmp_path))
    with pytest.raises(ConfigError, match=r"has no question 'queri'\. Did you mean 'query'\? Available: query, curves"):
        questions.selected(["queri"])
    assert questions.selected(["curves"]) == ()
    assert questions.selected([]) == questions.questions
    for seeds in ([0], [0, 1]):
        with pytest.raises(ConfigError, match="give at least 2 of the seeds in .*, 0 3"):
            questions.with_seeds(seeds)
    assert questions.with_seeds([3, 0]).seeds == (0, 3)
    with pytest.raises(ConfigError, match="no_such_arm"):
        Study.of(read_questions(written(tmp_path, ("arm: query_injector", "arm: no_such_arm"))), tmp_path)
