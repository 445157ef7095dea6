"""Inputs of a study: its questions file, data sets and frozen weights, recorded at its first run.

Results of a folder must come from the same data and weights. The questions may change, because a study can be extended,
but every change after the first run is recorded and reported.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from frozenseg.atomic import write_json, write_text
from frozenseg.config import CfgNode, load_config
from frozenseg.data.dataset import ResolvedDataset
from frozenseg.data.run_vocabulary import resolve_for_run
from frozenseg.errors import ConfigError, did_you_mean
from frozenseg.file_hash import sha256_of
from frozenseg.modeling import pretrained
from lab.ablation.questions import Questions
from lab.ablation.study import Study

RECORD = "study.json"
SUBSETS_OF_ALL = ("S", "U")  # of the classes: seen and unseen
WITHOUT_SAM = "FCCLIP"


class Version(NamedTuple):
    """A version of the questions file that a study has run with."""

    sha256: str
    first_run: str  # date and time, UTC


def check_study(study: Study) -> None:
    """Check scenes and metrics of a study, before it runs.

    Args:
        study: its jobs.

    Raises:
        ConfigError: a benchmark has another number of scenes than the questions, or a metric is unknown.
        DataError: a data set is unknown, or its files are missing.
    """
    questions = study.questions
    cfg = _config(study)
    datasets = {name: resolve_for_run(cfg, name) for name in study.benchmarks()}
    for name, dataset in datasets.items():
        scenes = len(dataset.load_records())
        if scenes != questions.scenes:
            raise ConfigError(
                f"{name} has {scenes} scenes, but study.scenes of {questions.path} is {questions.scenes}: make the "
                "data set with that number, or change the questions."
            )
    compared = [(question.benchmark, question.metric) for question in questions.questions]
    if questions.curves is not None:
        compared.append((questions.curves.benchmark, questions.curves.metric))
    for benchmark, metric in compared:
        known = known_metrics((*SUBSETS_OF_ALL, *datasets[benchmark].metadata.category_groups))
        if metric not in known:
            hint = did_you_mean(metric, known)
            raise ConfigError(
                f"{questions.path}: {metric!r} is not a metric of {benchmark}.{hint} Available: {', '.join(known)}."
            )


def known_metrics(subsets: Iterable[str]) -> list[str]:
    """Return the names of the metrics that can be computed from the counts of images.

    Args:
        subsets: names of the subsets of the classes.
    """
    return ["PQ", "PQ_th", "PQ_st", *(f"{name}_PQ" for name in subsets)]


def record_inputs(study: Study) -> list[Version]:
    """Compare the inputs of a study with those of its earlier runs, and record them.

    Args:
        study: its jobs.

    Returns:
        All versions of the questions that the study has run with, the present one last.

    Raises:
        ConfigError: data or frozen weights are other ones than at the first run.
    """
    path, questions = study.folder / RECORD, study.questions
    record = _read_record(path)
    inputs = _input_hashes(study)
    for name, value in record.inputs.items():
        if inputs.get(name, value) != value:
            raise ConfigError(
                f"{name} has changed since the first run of the study in {study.folder}: choose another --output."
            )
    versions = record.versions
    if not versions or versions[-1].sha256 != questions.sha256:
        versions.append(Version(questions.sha256, datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")))
        _keep_copy(questions, study.folder)
    content = {
        "inputs": record.inputs | inputs,
        "questions": [version._asdict() for version in versions],
    }
    write_json(path, content, indent=2)
    return versions


class _Record(NamedTuple):
    """Content of the file ``study.json``."""

    inputs: dict[str, str]  # hashes by name
    versions: list[Version]  # of the questions, the oldest first


def _read_record(path: Path) -> _Record:
    if not path.exists():
        return _Record({}, [])
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        inputs = {str(name): str(value) for name, value in record["inputs"].items()}
        return _Record(inputs, [Version(**version) for version in record["questions"]])
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"{path} is not the record of a study ({type(error).__name__}: {error}): choose another --output, or "
            "delete it."
        ) from error


def _keep_copy(questions: Questions, folder: Path) -> None:
    copy = folder / f"questions_{questions.sha256[:12]}.yaml"
    write_text(copy, questions.path.read_text(encoding="utf-8"))


def _config(study: Study) -> CfgNode:
    ablation = next(iter(study.ablations.values()))
    return load_config(ablation.config_file, ablation.options)


def _input_hashes(study: Study) -> dict[str, str]:
    cfg = _config(study)
    names = [*cfg.DATASETS.TRAIN, *study.benchmarks()]
    hashes = {f"data set {name}": _hash_of_dataset(resolve_for_run(cfg, name)) for name in names}
    for ablation in study.ablations.values():
        hashes |= _hashes_of_weights(load_config(ablation.config_file, ablation.options))
    return hashes


def _hash_of_dataset(dataset: ResolvedDataset) -> str:
    """Return the hash of the annotations, and of the names and sizes of all images."""
    digest = hashlib.sha256()
    for record in dataset.load_records():
        for field in ("file_name", "pan_seg_file_name"):
            if field in record:
                file = Path(record[field])
                digest.update(f"{file.name} {file.stat().st_size}\n".encode())
    for annotations in (dataset.metadata.panoptic_json, dataset.metadata.json_file):
        if annotations and Path(annotations).is_file():
            digest.update(sha256_of(Path(annotations)).encode())
    return digest.hexdigest()


def _hashes_of_weights(cfg: CfgNode) -> dict[str, str]:
    encoders = [(pretrained.CLIP_WEIGHTS, cfg.MODEL.CLIP.CLIP_PRETRAINED_WEIGHTS, cfg.MODEL.CLIP.CLIP_MODEL_NAME)]
    if cfg.MODEL.META_ARCHITECTURE != WITHOUT_SAM:
        encoders.append((pretrained.SAM_WEIGHTS, cfg.MODEL.SAM_WEIGHTS, cfg.MODEL.SAM_NAME))
    hashes = {}
    for key, weights, name in encoders:
        if pretrained.random_seed(weights) is None:
            file = Path(weights) if Path(weights).is_file() else pretrained.pretrained_encoder(key, weights, name)
            if file is not None:
                hashes[f"the frozen {name} of {key} {weights!r}"] = sha256_of(file)
    return hashes
