"""Class names of a run: from the data set, or from a file that replaces them.

The file is that of DATASETS.VOCABULARIES, else the published one in DATASETS.VOCABULARY_FOLDER.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from frozenseg.config import CfgNode
from frozenseg.data.catalog import resolve
from frozenseg.data.custom_dataset import is_custom
from frozenseg.data.dataset import ResolvedDataset
from frozenseg.data.published_vocabularies import check_count, published_file
from frozenseg.errors import ConfigError, did_you_mean
from frozenseg.log import get_logger, warn_once
from frozenseg.vocabulary import Vocabulary
from frozenseg.vocabulary.files import match_to_dataset, read_vocabulary_lines, refuse_shifted
from frozenseg.vocabulary.name_checks import warn_of_names

logger = get_logger(__name__)
_SHOWN = 3  # names in a warning


def resolve_for_run(cfg: CfgNode, name: str) -> ResolvedDataset:
    """Return a data set by its name, with the class names that the run prompts the model with.

    A file of class names does not change which classes are things. Names of custom data sets are normalised for
    prompts if DATASETS.NORMALIZE_NAMES is True; reports have them as they are in the files.

    Args:
        cfg: reads DATASETS.
        name: name of the data set, one of DATASETS.TRAIN or DATASETS.TEST.

    Raises:
        ConfigError: an entry of DATASETS.VOCABULARIES cannot be assigned to a data set.
        DataError: the data set is unknown, or a file is missing, cannot be read or does not fit it.
    """
    dataset = resolve(name)
    files = vocabulary_files(cfg.DATASETS.VOCABULARIES, cfg.DATASETS.TRAIN, cfg.DATASETS.TEST)
    path: str | Path | None = files.get(name)
    folder = cfg.DATASETS.VOCABULARY_FOLDER if path is None else ""
    if folder:
        path = published_file(folder, dataset.metadata.published_seen, name)
    if path is None:
        return _normalized(cfg, dataset)
    classes = match_to_dataset(read_vocabulary_lines(path), list(dataset.metadata.category_ids), path, name)
    refuse_shifted(dataset.vocabulary.classes, classes, path, name)
    vocabulary = replace(dataset.vocabulary, classes=tuple(classes))
    logger.info(
        "%s: prompted with the class names of %s, %d classes, %d names.",
        name,
        path,
        len(vocabulary),
        len(vocabulary.synonyms),
    )
    if folder:
        check_count(dataset.metadata.published_seen, len(vocabulary.synonyms), path, name)
    return _normalized(cfg, replace(dataset, vocabulary=vocabulary))


def _normalized(cfg: CfgNode, dataset: ResolvedDataset) -> ResolvedDataset:
    """Return a custom data set with normalised prompts; any other data set unchanged."""
    if not is_custom(dataset.name):
        return dataset
    if cfg.DATASETS.NORMALIZE_NAMES:
        normal = dataset.vocabulary.normalized()
        pairs = zip(dataset.vocabulary.synonyms, normal.synonyms, strict=True)
        changed = [f"{after!r} for {before!r}" for before, after in pairs if before != after]
        dataset = replace(dataset, vocabulary=normal, normalized=True)
        if changed:
            warn_once(
                logger,
                "%s: %d of %d names are normalised, prompted as %s%s (DATASETS.NORMALIZE_NAMES False keeps them).",
                dataset.name,
                len(changed),
                len(normal.synonyms),
                ", ".join(changed[:_SHOWN]),
                " …" if len(changed) > _SHOWN else "",
            )
    warn_of_names(dataset.vocabulary.classes, dataset.name)
    return dataset


def build_vocabulary(cfg: CfgNode, name: str) -> Vocabulary:
    """Return the class names that a run prompts the model with on a data set; see :func:`resolve_for_run`."""
    return resolve_for_run(cfg, name).vocabulary


def vocabulary_files(entries: Sequence[str], train: Sequence[str], test: Sequence[str]) -> dict[str, str]:
    """Return the file of class names of each data set that has one.

    Args:
        entries: each ``NAME=FILE``, or ``FILE`` for the only evaluation data set.
        train: names of the training data sets.
        test: names of the evaluation data sets.

    Raises:
        ConfigError: an entry names an unknown data set, names none although there are several, or names one that has a
            file already.
    """
    files: dict[str, str] = {}
    for entry in entries:
        name, path = _split(entry, [*train, *test], test)
        if name in files:
            raise ConfigError(f"DATASETS.VOCABULARIES gives {name} two files, {files[name]} and {path}: remove one.")
        files[name] = path
    return files


def _split(entry: str, names: Sequence[str], test: Sequence[str]) -> tuple[str, str]:
    for name in sorted(names, key=len, reverse=True):  # the name of a custom data set may contain '='
        if entry.startswith(f"{name}="):
            return name, entry[len(name) + 1 :]
    wrong = entry.partition("=")[0]
    if "=" in entry and not os.path.isfile(os.path.expanduser(entry)):
        raise ConfigError(
            f"DATASETS.VOCABULARIES has a file for {wrong!r}, which is not a data set of the run."
            f"{did_you_mean(wrong, names)} Its data sets: {', '.join(dict.fromkeys(names)) or 'none'}."
        )
    if len(test) != 1:
        raise ConfigError(
            f"DATASETS.VOCABULARIES has the file {entry}, but DATASETS.TEST has {len(test)} data sets: write "
            f"NAME={entry}, with NAME one of {', '.join(dict.fromkeys(names)) or 'DATASETS.TEST'}."
        )
    return test[0], entry
