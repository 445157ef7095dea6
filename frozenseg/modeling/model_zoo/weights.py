"""Weights of the model zoo: ``models.yaml`` as typed values, and the files on this machine."""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from frozenseg.downloads.cache_folder import cache_folder, torch_hub_folder
from frozenseg.downloads.remote_file import RemoteFile, download_once
from frozenseg.errors import ConfigError, did_you_mean

PACKAGE = Path(__file__).parents[2]
MODEL_WEIGHTS = "MODEL.WEIGHTS"
UNLICENSED = "none published"
CONSENT_FLAG = "--accept-no-licence"
TASKS = {"PQ": "panoptic_seg", "AP": "segm", "APr": "segm", "mIoU": "sem_seg", "fwIoU": "sem_seg"}


class ZooBenchmark(NamedTuple):
    """A benchmark of published scores.

    Attributes:
        name: of its protocol in ``configs/eval``.
        title: for tables.
        dataset: name of the data set.
    """

    name: str
    title: str
    dataset: str


class ZooScore(NamedTuple):
    """One published score.

    Attributes:
        benchmark: name of the benchmark in ``models.yaml``.
        metric: such as ``PQ``.
        value: percent, with the digits that were published.
        tolerance: largest difference that counts as reproduced, percent.
        source: ``README``, ``log`` (the authors' test log) or ``paper``.
        sam_masks: True if it was made with the mask-proposal ensemble.
    """

    benchmark: str
    metric: str
    value: float
    tolerance: float
    source: str
    sam_masks: bool

    @property
    def task(self) -> str:
        """Return the task of the metric in our results."""
        return TASKS[self.metric]


class ZooModel(NamedTuple):
    """Weights with a name: a trained model or a frozen encoder.

    Attributes:
        name: of the weights.
        title: for tables.
        licence: of the weights, as their authors state it.
        trained_on: training data.
        file: name in the cache, or path in the package.
        url: page or direct link; empty for weights in the package.
        sha256: first digits of the published hash; empty if none is published.
        size: published size in bytes; 0 if none is published.
        key: config key that takes the weights.
        architecture: encoder that the weights fit; empty for a trained model, which has a config.
        config: name of the shipped config of a trained model; empty for an encoder.
        selection: rule by which the authors chose the checkpoint; empty for an encoder.
        card: file in the package that describes training and scores; empty for released weights.
        usual_classes: named vocabulary of a CLIP or a model that knows a small world only; empty for all others.
        known_names: named vocabulary of all that such a CLIP can name.
        scores: published scores.
    """

    name: str
    title: str
    licence: str
    trained_on: str
    file: str
    url: str = ""
    sha256: str = ""
    size: int = 0
    key: str = MODEL_WEIGHTS
    architecture: str = ""
    config: str = ""
    selection: str = ""
    card: str = ""
    usual_classes: str = ""
    known_names: str = ""
    scores: tuple[ZooScore, ...] = ()

    @property
    def needs_consent(self) -> bool:
        """True if no licence is published: a user decides before the download."""
        return self.licence == UNLICENSED

    @property
    def is_trained_model(self) -> bool:
        """True for a model with its decoder, False for a frozen encoder."""
        return self.key == MODEL_WEIGHTS

    def check_commands(self) -> list[str]:
        """Return the commands that compare these weights with their published scores, one for each benchmark."""
        rows = dict.fromkeys((score.benchmark, score.sam_masks) for score in self.scores)
        configs = [f"published/{self.name}/{benchmark}{'_sam_masks' * masks}" for benchmark, masks in rows]
        return [f"frozenseg eval --config {config} --weights {self.name}" for config in configs]


def zoo_models() -> tuple[ZooModel, ...]:
    """Return the released models, in the order of the table."""
    return _section("models")


@cache
def zoo_weights() -> tuple[ZooModel, ...]:
    """Return all weights with a name: those in the package, released models, frozen encoders."""
    return _section("packaged") + _section("models") + _section("encoders")


def zoo_entry(name: str) -> ZooModel:
    """Return the weights of a name.

    Raises:
        ConfigError: unknown name; the message has the nearest ones.
    """
    entries = {entry.name: entry for entry in zoo_weights()}
    if name not in entries:
        hint = did_you_mean(str(name), entries)
        raise ConfigError(f"There are no weights named {name!r}.{hint} Available: {', '.join(entries)}.")
    return entries[name]


def local_weights(entry: ZooModel) -> Path | None:
    """Return the file of weights if it is on this machine: in the package, in the cache or in torch hub's folder."""
    if not entry.url:
        return PACKAGE / entry.file
    candidates = (cached_path(entry), torch_hub_folder() / entry.file)
    return next((path for path in candidates if path.is_file()), None)


def cached_path(entry: ZooModel) -> Path:
    """Return the path in the cache of weights that are downloaded."""
    return cache_folder() / "weights" / entry.file


def download_weights(entry: ZooModel, consent: bool = False) -> Path:
    """Return the file of weights, downloaded once if it is not on this machine.

    Args:
        entry: from :func:`zoo_entry`.
        consent: True if the user accepts that no licence is published.

    Raises:
        ConfigError: no licence is published, and the user has not consented.
        DownloadError: the download fails.
    """
    if (file := local_weights(entry)) is not None:
        return file
    if entry.needs_consent and not consent:
        raise ConfigError(
            f"{entry.title} has no published licence, so {entry.name} is not downloaded without your consent: run "
            f"'frozenseg models download {entry.name} {CONSENT_FLAG}', or ask the authors and save the file from "
            f"{entry.url} as {cached_path(entry)}."
        )
    return download_once(RemoteFile(entry.url, cached_path(entry), entry.sha256))


def zoo_benchmarks() -> dict[str, ZooBenchmark]:
    """Return the benchmarks of the table by name."""
    return {name: ZooBenchmark(name, **entry) for name, entry in _read_table()["benchmarks"].items()}


def _section(name: str) -> tuple[ZooModel, ...]:
    return tuple(
        ZooModel(**{**entry, "scores": tuple(_scores(entry.get("scores", ())))}) for entry in _read_table()[name]
    )


def _scores(groups: Sequence[dict[str, Any]]) -> Iterator[ZooScore]:
    for group in groups:
        origin = group["tolerance"], group["source"], group.get("sam_masks", False)
        for benchmark, metrics in group["benchmarks"].items():
            yield from (ZooScore(benchmark, metric, value, *origin) for metric, value in metrics.items())


@cache
def _read_table() -> dict[str, Any]:
    import yaml

    text = resources.files("frozenseg.modeling.model_zoo").joinpath("models.yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.safe_load(text)
    return table
