"""``tools/train_net.py --engine detectron2``: mistakes give the same message and exit code as with our engine."""

import pytest

from tools.train_net import main

pytest.importorskip("detectron2", reason="Detectron2 is not installed; its install page says how")
pytestmark = pytest.mark.filterwarnings("ignore")  # Detectron2's own


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the sentence that a command line is answered with."""
    capsys.readouterr()
    assert main(list(arguments)) == 2
    sentence = capsys.readouterr().err.splitlines()[-1]  # our engine logs before it looks at some of the keys
    assert sentence.startswith("error: ")
    return sentence


@pytest.mark.parametrize(
    "wrong",
    [
        ("SOLVER.MAX_ITR", "3"),
        ("SOLVER.MAX_ITER",),
        ("SOLVER.MAX_ITER", "soon"),
        ("SOLVER.MAX_ITER", "1.5"),
        ("MODEL.META_ARCHITECTURE", "FrozenSegg"),
        ("MODEL.DEVICE", "gpu"),
        ("--weights", "nowhere.pth"),
        ("DATASETS.TRAIN", "[]"),
        ("--eval-only", "DATASETS.TEST", "[]"),
        ("--num-gpus", "0"),
        ("--num-machines", "2"),
        ("--dist-url", "nowhere"),
    ],
    ids=" ".join,
)
def test_both_engines_say_the_same(plugin, config: str, options: list[object], wrong, capsys) -> None:
    command = ["--config-file", config, *map(str, options), *wrong]
    ours = said(capsys, *command)
    assert said(capsys, "--engine", "detectron2", *command) == ours


def test_files_that_are_missing_or_broken(plugin, tmp_path, capsys) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("SEED: [1\n", encoding="utf-8")
    for file in ("nowhere.yaml", str(broken)):
        ours = said(capsys, "--config-file", file)
        assert said(capsys, "--engine", "detectron2", "--config-file", file) == ours


def test_processes_that_it_cannot_have(plugin, config: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    command = ["--engine", "detectron2", "--config-file", config, "MODEL.DEVICE", "cpu"]
    assert "needs GPUs for 2 processes" in said(capsys, *command, "--num-gpus", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "use --num-gpus instead of torchrun" in said(capsys, *command)


def test_what_it_does_not_do_is_said(plugin, config: str, options: list[object], tmp_path, capsys) -> None:
    command = ["--engine", "detectron2", "--config-file", config, *map(str, options), "SOLVER.IMAGES_AT_ONCE", "1"]
    assert "SOLVER.IMAGES_AT_ONCE is 1" in said(capsys, *command)
    assert main([*command, "--eval-only", "--save-predictions", "LOG_WANDB_PROJECT", "toys"]) == 0  # no step, no parts
    named = "Keys without effect under Detectron2's trainer: LOG_WANDB_PROJECT, TEST.SAVE_PREDICTIONS"
    assert (tmp_path / "output/log.txt").read_text(encoding="utf-8").count(named) == 1


def test_results_are_compared_with_what_is_expected(plugin, config: str, options: list[object], capsys) -> None:
    command = ["--engine", "detectron2", "--config-file", config, *map(str, options), "SOLVER.MAX_ITER", "1"]
    one = ["DATASETS.TEST", "['toyworld_val_seen']"]
    wrong, right = ["sem_seg", "mIoU", 99.0, 0.5], ["toyworld_val_seen", "sem_seg", "mIoU", 50.0, 50.0]
    for more in (["--eval-only"], []):
        assert "expected 99" in said(capsys, *command, *more, *one, "TEST.EXPECTED_RESULTS", repr([wrong]))
        assert main([*command, *more, "TEST.EXPECTED_RESULTS", repr([right])]) == 0
    assert "name one, [benchmark, task" in said(capsys, *command, "TEST.EXPECTED_RESULTS", repr([wrong]))
