"""``tools/train_net.py --engine detectron2`` answers mistakes as our engine does: one sentence, exit code 2."""

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
    assert "several processes on GPUs only" in said(capsys, *command, "--num-gpus", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "give --num-gpus without torchrun" in said(capsys, *command)
