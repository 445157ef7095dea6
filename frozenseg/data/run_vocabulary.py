"""The words that a run asks for: those of the data set, or those of a file in their place (DATASETS.VOCABULARIES)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from frozenseg.data.catalog import MetadataCatalog, vocabulary_of
from frozenseg.errors import ConfigError, did_you_mean
from frozenseg.log import get_logger
from frozenseg.vocabulary import Vocabulary
from frozenseg.vocabulary.files import match_to, read_vocabulary_lines

logger = get_logger(__name__)


def build_vocabulary(cfg: Any, name: str) -> Vocabulary:
    """Return the words for a data set of a run; which classes are things stays as the data set has it.

    Args:
        cfg: reads DATASETS.
        name: of the data set, one of DATASETS.TRAIN or DATASETS.TEST.

    Raises:
        ConfigError: DATASETS.VOCABULARIES does not say which file is whose.
        DataError: the data set is unknown, or a file cannot be read or does not fit it.
    """
    path = vocabulary_files(cfg.DATASETS.VOCABULARIES, cfg.DATASETS.TRAIN, cfg.DATASETS.TEST).get(name)
    words = vocabulary_of(name)
    if path is None:
        return words
    ids = MetadataCatalog.get(name).get("stuff_dataset_id_to_contiguous_id") or range(len(words))
    words = replace(words, classes=tuple(match_to(read_vocabulary_lines(path), list(ids), path, name)))
    logger.info("%s: asked for by the words of %s, %d classes, %d names.", name, path, len(words), len(words.synonyms))
    return words


def vocabulary_files(entries: Sequence[str], train: Sequence[str], test: Sequence[str]) -> dict[str, str]:
    """Return the file of each data set that has one.

    Args:
        entries: each ``NAME=FILE``, or ``FILE`` for the one test set.
        train: data sets that are trained on.
        test: data sets that are evaluated on.

    Raises:
        ConfigError: an entry names no data set of the run, none where it must, or one that has a file already.
    """
    files: dict[str, str] = {}
    for entry in entries:
        name, path = _split(entry, [*train, *test], test)
        if name in files:
            raise ConfigError(f"DATASETS.VOCABULARIES gives {name} two files, {files[name]} and {path}: leave one out.")
        files[name] = path
    return files


def _split(entry: str, names: Sequence[str], test: Sequence[str]) -> tuple[str, str]:
    for name in sorted(names, key=len, reverse=True):  # the name of one's own data may have '=' in it
        if entry.startswith(f"{name}="):
            return name, entry[len(name) + 1 :]
    wrong = entry.partition("=")[0]
    if "=" in entry and not Path(entry).expanduser().is_file():
        raise ConfigError(
            f"DATASETS.VOCABULARIES has a file for {wrong!r}, which the run has nothing to do with."
            f"{did_you_mean(wrong, names)} Its data sets: {', '.join(dict.fromkeys(names)) or 'none'}."
        )
    if len(test) != 1:
        raise ConfigError(
            f"DATASETS.VOCABULARIES has the file {entry}, but there are {len(test)} test sets: say whose words these "
            f"are, NAME={entry} with NAME one of {', '.join(dict.fromkeys(names)) or 'DATASETS.TEST'}."
        )
    return test[0], entry
