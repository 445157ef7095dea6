"""Seen and unseen classes of an evaluation data set: by class names, or by the flags of published results."""

import csv
import functools
from importlib import resources

from frozenseg.data.dataset import ResolvedDataset
from frozenseg.data.metadata import Metadata
from frozenseg.errors import ConfigError
from frozenseg.log import get_logger

logger = get_logger(__name__)
SEEN_RULES = ("synonyms", "published")
PUBLISHED_TRAINING = "coco_panoptic_133"  # training set of the published models


def seen_classes(dataset: ResolvedDataset, training: ResolvedDataset, rule: str = "synonyms") -> tuple[bool, ...]:
    """Return one flag for each class of a data set, True if it counts as seen; log the rule and the counts.

    Args:
        dataset: evaluation data set.
        training: training data set.
        rule: ``synonyms``: a class is seen if one of its names is exactly a name of a training class; ``published``:
            the table of published flags, for models trained on COCO panoptic. With a custom data set whose names are
            normalised, spellings such as ``Traffic_Light`` and ``traffic light`` are equal.

    Raises:
        ConfigError: unknown rule, or there are no published flags for the two data sets.
    """
    if rule not in SEEN_RULES:
        raise ConfigError(f"DATASETS.SEEN_RULE is {rule!r}: choose among {', '.join(SEEN_RULES)}.")
    published = published_flags(dataset.metadata, training.metadata)
    if rule == "published":
        if published is None:
            raise ConfigError(
                f"DATASETS.SEEN_RULE is 'published', but there are no published flags for {dataset.name} after "
                f"training on {training.name}: use the rule 'synonyms'."
            )
        flags = published
    else:
        flags = dataset.vocabulary.seen_by(training.vocabulary, dataset.normalized or training.normalized)
    others = ""
    if rule == "synonyms" and published:
        others = f" Published results count {sum(published)} as seen (DATASETS.SEEN_RULE published)."
    logger.info(
        "%s: %d classes, %d seen and %d unseen in %s, by the rule %r.%s",
        dataset.name,
        len(flags),
        sum(flags),
        len(flags) - sum(flags),
        training.name,
        rule,
        others,
    )
    return flags


def published_flags(metadata: Metadata, training: Metadata) -> tuple[bool, ...] | None:
    """Return the published flags of a data set for a model trained on another one, or None if there are none."""
    if training.published_seen != PUBLISHED_TRAINING:
        return None
    return _published().get(metadata.published_seen)


@functools.cache
def _published() -> dict[str, tuple[bool, ...]]:
    text = resources.files("frozenseg.data").joinpath("published_seen.tsv").read_text(encoding="utf-8")
    flags: dict[str, list[bool]] = {}
    for row in csv.DictReader(text.splitlines(), delimiter="\t"):
        flags.setdefault(row["dataset"], []).append(row["seen"] == "1")
    return {dataset: tuple(values) for dataset, values in flags.items()}
