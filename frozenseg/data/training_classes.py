"""Classes that a model was trained on: those in its checkpoint, else those of the config's training data set."""

from dataclasses import replace

from frozenseg.config import CfgNode, values_from_text
from frozenseg.data.catalog import DatasetCatalog, resolve
from frozenseg.data.dataset import ResolvedDataset
from frozenseg.data.metadata import Metadata
from frozenseg.data.run_vocabulary import resolve_for_run
from frozenseg.errors import CheckpointError, ConfigError, FrozenSegError
from frozenseg.log import get_logger
from frozenseg.vocabulary import Vocabulary
from frozenseg.vocabulary.names import normal_name

logger = get_logger(__name__)
UNNAMED = "the training data of the weights"


def training_classes(cfg: CfgNode, trained: Vocabulary | None, config_of_weights: str, weights: str) -> ResolvedDataset:
    """Return the data set that decides which classes count as seen; warn if weights and config disagree.

    Args:
        cfg: reads DATASETS.
        trained: vocabulary in the checkpoint; None for a file without one, such as a released file.
        config_of_weights: the config in the checkpoint, YAML; empty for none.
        weights: the checkpoint, for messages.

    Raises:
        ConfigError: neither the checkpoint nor DATASETS.TRAIN has classes.
        DataError: the checkpoint has no vocabulary, and the data set of the config is unknown or its files are missing.
    """
    name = cfg.DATASETS.TRAIN[0] if cfg.DATASETS.TRAIN else ""
    if trained is None:
        if not name:
            raise ConfigError(
                f"{weights or 'A model without weights'} has no vocabulary and DATASETS.TRAIN is empty: set it to the "
                "data set that the model was trained on, which decides the classes that count as seen."
            )
        return resolve_for_run(cfg, name)
    trained_on = _training_set_of(config_of_weights)
    if name and name != trained_on:
        _warn_of_other_classes(cfg, name, trained, trained_on, weights)
    dataset = resolve(trained_on) if trained_on in DatasetCatalog.list() else None
    if dataset is not None and _names(dataset.vocabulary) == _names(trained):
        return replace(dataset, vocabulary=trained)
    label = trained_on or UNNAMED
    return ResolvedDataset(label, Metadata(name=label, vocabulary=trained), trained, list, cfg.DATASETS.NORMALIZE_NAMES)


def refuse_other_classes(cfg: CfgNode, trained: Vocabulary | None, vocabulary: Vocabulary, path: str) -> None:
    """Check that a run is resumed with the classes that its checkpoint was trained on.

    Args:
        cfg: reads DATASETS.TRAIN, for the message.
        trained: vocabulary in the checkpoint; None for a file without one.
        vocabulary: of the training data set of the config.
        path: of the checkpoint, for the message.

    Raises:
        CheckpointError: the classes differ.
    """
    if trained is None or _names(trained) == _names(vocabulary):
        return
    raise CheckpointError(
        f"{path} was trained on {len(trained)} classes ({_examples(trained, vocabulary)}), but DATASETS.TRAIN "
        f"({cfg.DATASETS.TRAIN[0]}) has {len(vocabulary)} ({_examples(vocabulary, trained)}): resume with the same "
        "data set and class names, or start from the checkpoint with --weights and without --resume."
    )


def _training_set_of(config: str) -> str:
    """Return DATASETS.TRAIN of the config in a checkpoint; empty if it cannot be read."""
    try:
        names = values_from_text(config, "the config in the checkpoint").get("DATASETS.TRAIN") if config else None
    except FrozenSegError:
        return ""
    return str(names[0]) if isinstance(names, (list, tuple)) and names else ""


def _warn_of_other_classes(cfg: CfgNode, name: str, trained: Vocabulary, trained_on: str, weights: str) -> None:
    try:
        configured = resolve_for_run(cfg, name).vocabulary
    except FrozenSegError as error:
        logger.warning("Seen classes are those in %s, as the config's DATASETS.TRAIN is not usable: %s", weights, error)
        return
    if _names(configured) != _names(trained):
        logger.warning(
            "%s was trained on %d classes%s (%s), but DATASETS.TRAIN of the config is %s with %d classes (%s): those "
            "in the weights count as seen. Set DATASETS.TRAIN to the training data of the weights.",
            weights,
            len(trained),
            f" of {trained_on}" if trained_on else "",
            _examples(trained, configured),
            name,
            len(configured),
            _examples(configured, trained),
        )


def _names(vocabulary: Vocabulary) -> set[str]:
    return {normal_name(name) for name in vocabulary.synonyms}


def _examples(vocabulary: Vocabulary, other: Vocabulary) -> str:
    """Return the first names of a vocabulary that another one lacks, or its first names."""
    known = _names(other)
    names = [name for name in vocabulary.names if normal_name(name) not in known] or list(vocabulary.names)
    return ", ".join(repr(name[:40]) for name in names[:3]) + (" …" if len(vocabulary) > 3 else "")
