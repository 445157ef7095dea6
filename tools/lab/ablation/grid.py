"""Configs of an ablation study, with fingerprints of their trainings and evaluations.

An ablation is a config file that changes a few keys of a model. Ablations with equal training keys share a training.
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

COMMENT = "# "  # prefix of the description in the first line of a config
RUN_KEYS = ("OUTPUT_DIR", "SEED", "LOG_", "MODEL.TEXT_CACHE_DIR")  # prefixes of keys that change no result of a seed
EVALUATION_KEYS = (  # prefixes of keys that do not change the training
    "TEST.", "MODEL.MASK_FORMER.TEST.", "DATASETS.TEST", "DATASETS.SEEN_RULE",
    "INPUT.MIN_SIZE_TEST", "INPUT.MAX_SIZE_TEST",
)  # fmt: skip
ENSEMBLE_KEYS = ("GEOMETRIC_ENSEMBLE_ALPHA", "GEOMETRIC_ENSEMBLE_BETA", "ENSEMBLE_ON_VALID_MASK",
    "GEOMETRIC_ENSEMBLE_VOID_DISCOUNT",)  # fmt: skip


@dataclass(frozen=True)
class Ablation:
    """One config of an ablation study.

    Attributes:
        name: name of the file without its extension.
        description: first line of the file, without the command in it.
        model: config file of another model to change the keys of; None for the ``_BASE_`` of the file.
        path: the file.
        options: ``KEY, VALUE, …`` overrides: with a model the keys of the file, then those of the user.
        benchmarks: names of the evaluation data sets.
        training: fingerprint of the training: hash of all keys that change it, without the seed.
        evaluation: fingerprint of the results: hash of all keys that change them, without the seed.
    """

    name: str
    description: str
    model: Path | None
    path: Path
    options: tuple[str, ...]
    benchmarks: tuple[str, ...]
    training: str
    evaluation: str

    @property
    def config_file(self) -> Path:
        """The config file to train and evaluate."""
        return self.model or self.path


def read_ablations(paths: Sequence[Path], model: Path | None, options: Sequence[str]) -> list[Ablation]:
    """Read and check all configs of a study, before any of it runs.

    Args:
        paths: the config files.
        model: config file of a model that replaces the ``_BASE_`` of the files; only their own keys are used then.
        options: ``KEY, VALUE, …`` overrides of all configs.

    Raises:
        ConfigError: A file is not a valid config or has no description, or two have the same name.
    """
    ablations = [_read(path, model, tuple(options)) for path in paths]
    names = [ablation.name for ablation in ablations]
    if duplicates := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"Two configs are named {duplicates[0]!r}: rename one, because results are stored by name.")
    return ablations


def _read(path: Path, model: Path | None, options: tuple[str, ...]) -> Ablation:
    if model is not None:
        file_options = [text for key, value in file_settings(path).items() for text in (key, _as_text(value))]
        options = (*file_options, *options)
    cfg = load_config(model or path, options)
    first = path.read_text(encoding="utf-8").splitlines()[0]
    if not first.startswith(COMMENT):
        raise ConfigError(
            f"{path} has no description: its first line is {first!r}, but must be a comment that says what is ablated."
        )
    description = first.removeprefix(COMMENT).split("python tools/")[0].strip()
    return Ablation(path.stem, description, model, path, options, tuple(cfg.DATASETS.TEST), *_fingerprints(cfg))


def _fingerprints(cfg: CfgNode) -> tuple[str, str]:
    """Return hashes of the keys that change the training, and of those that change the results."""
    keys = {key: value for key, value in flatten(yaml.safe_load(cfg.dump()), "config") if not key.startswith(RUN_KEYS)}
    training_keys = {
        key: value
        for key, value in keys.items()
        if not key.startswith(EVALUATION_KEYS) and key.rsplit(".", 1)[-1] not in ENSEMBLE_KEYS
    }
    return _hash(training_keys), _hash(keys)


def _hash(keys: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()[:12]


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)
