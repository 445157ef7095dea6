"""The command line."""

import pytest

from frozenseg.engine.arguments import overrides, parse_arguments


def test_detectron2_flags() -> None:
    arguments = parse_arguments(
        [
            "--config-file",
            "a.yaml",
            "--resume",
            "--eval-only",
            "--num-gpus",
            "4",
            "--num-machines",
            "2",
            "--machine-rank",
            "1",
            "--dist-url",
            "tcp://host:1",
            "SEED",
            "-1",
        ]
    )
    assert vars(arguments) == {
        "config_file": "a.yaml",
        "resume": True,
        "eval_only": True,
        "engine": "frozenseg",
        "weights": None,
        "allow_partial": False,
        "precision": None,
        "compile": None,
        "skip_bad": False,
        "strict": False,
        "vocabulary": [],
        "vocabulary_folder": None,
        "compare": False,
        "save_predictions": False,
        "print_config": False,
        "num_gpus": 4,
        "num_machines": 2,
        "machine_rank": 1,
        "dist_url": "tcp://host:1",
        "opts": ["SEED", "-1"],
    }


def test_flags_may_follow_the_overrides() -> None:
    arguments = parse_arguments(["--config-file", "a.yaml", "SOLVER.MAX_ITER", "10", "--resume", "SEED", "1"])
    assert arguments.resume
    assert arguments.opts == ["SOLVER.MAX_ITER", "10", "SEED", "1"]


def test_flags_that_are_short_for_a_key() -> None:
    arguments = parse_arguments(["--config-file", "a.yaml", "--weights", "w.pth", "--skip-bad", "SEED", "1"])
    assert overrides(arguments) == ["SEED", "1", "MODEL.WEIGHTS", "w.pth", "DATASETS.SKIP_BAD", "True"]
    fast = parse_arguments(["--config-file", "a.yaml", "--precision", "fast", "--compile", "reduce-overhead"])
    assert overrides(fast) == ["MODEL.PRECISION", "fast", "MODEL.COMPILE", "reduce-overhead"]
    assert overrides(parse_arguments(["--config-file", "a.yaml", "--allow-partial"])) == [
        "MODEL.ALLOW_PARTIAL_WEIGHTS", "True",
    ]  # fmt: skip


def test_files_of_words_add_up_to_one_key() -> None:
    folder = parse_arguments(["--config-file", "a.yaml", "--vocabulary-folder", "a b"])
    assert overrides(folder) == ["DATASETS.VOCABULARY_FOLDER", "a b"]
    arguments = parse_arguments(["--config-file", "a.yaml", "--vocabulary", "pets=a b.txt", "--vocabulary", "c'.txt"])
    assert overrides(arguments) == ["DATASETS.VOCABULARIES", """['pets=a b.txt', "c'.txt"]"""]


def test_the_config_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse_arguments([])
    assert "--config-file" in capsys.readouterr().err
