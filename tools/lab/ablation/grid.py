"""Which trainings and evaluations a set of questions comes to.

A question is a config file that switches a few keys. Questions that differ in how a model is tested alone share one
training.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from frozenseg.config import CfgNode, file_settings, load_config
from frozenseg.config.yaml_files import flatten
from frozenseg.errors import ConfigError

QUESTION = "# "  # how the first line of a question's file begins
OF_THE_RUN = ("OUTPUT_DIR", "SEED", "LOG_", "MODEL.TEXT_CACHE_DIR")  # keys that say nothing about a model
AT_TEST_ALONE = (  # keys that say nothing about a training
    "TEST.", "MODEL.MASK_FORMER.TEST.", "DATASETS.TEST", "DATASETS.SEEN_RULE",
    "INPUT.MIN_SIZE_TEST", "INPUT.MAX_SIZE_TEST",
)  # fmt: skip
ENSEMBLE = ("GEOMETRIC_ENSEMBLE_ALPHA", "GEOMETRIC_ENSEMBLE_BETA", "ENSEMBLE_ON_VALID_MASK")


@dataclass(frozen=True)
class Question:
    """One config of a grid.

    Attributes:
        name: of its file.
        text: what it asks, from the file's first line.
        model: config file of the model whose keys it switches; None for its own ``_BASE_``.
        path: its file.
        options: ``KEY, VALUE, …`` on top: with a model the question's own keys, then the user's.
        benchmarks: that it is evaluated on.
        training: hash of all that its training depends on, but the seed.
        evaluation: hash of all that its results depend on, but the seed.
    """

    name: str
    text: str
    model: Path | None
    path: Path
    options: tuple[str, ...]
    benchmarks: tuple[str, ...]
    training: str
    evaluation: str

    @property
    def config_file(self) -> Path:
        """The config that is run."""
        return self.model or self.path


def read_questions(paths: Sequence[Path], model: Path | None, options: Sequence[str]) -> list[Question]:
    """Read the configs of a grid, so that what is wrong is known before any of it runs.

    Args:
        paths: their files.
        model: another model than that of their ``_BASE_``: they then give their own keys alone.
        options: ``KEY, VALUE, …`` for all.

    Raises:
        ConfigError: a file is no config or asks nothing, or two have the same name.
    """
    questions = [_read(path, model, tuple(options)) for path in paths]
    names = [question.name for question in questions]
    if doubles := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"Two of the configs are called {doubles[0]!r}: rename one, results are kept by name.")
    return questions


def _read(path: Path, model: Path | None, options: tuple[str, ...]) -> Question:
    if model is not None:
        own = [text for key, value in file_settings(path).items() for text in (key, _as_text(value))]
        options = (*own, *options)
    cfg = load_config(model or path, options)
    first = path.read_text(encoding="utf-8").splitlines()[0]
    if not first.startswith(QUESTION):
        raise ConfigError(f"{path}: its first line must be a comment with the question that it answers.")
    text = first.removeprefix(QUESTION).split("python tools/")[0].strip()
    return Question(path.stem, text, model, path, options, tuple(cfg.DATASETS.TEST), *_hashes(cfg))


def _hashes(cfg: CfgNode) -> tuple[str, str]:
    """Return hashes of the keys that a training depends on, and its results, all but the seed."""
    keys = {
        key: value for key, value in flatten(yaml.safe_load(cfg.dump()), "config") if not key.startswith(OF_THE_RUN)
    }
    of_training = {
        key: value
        for key, value in keys.items()
        if not key.startswith(AT_TEST_ALONE) and key.rsplit(".", 1)[-1] not in ENSEMBLE
    }
    return _hash(of_training), _hash(keys)


def _hash(keys: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()[:12]


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)
