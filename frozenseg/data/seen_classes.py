"""Which classes of a test set training has shown: by shared words, or as published results count them."""

import csv
import functools
from importlib import resources

from frozenseg.data.catalog import MetadataCatalog
from frozenseg.errors import ConfigError
from frozenseg.log import get_logger
from frozenseg.vocabulary import Vocabulary

logger = get_logger(__name__)
RULES = ("synonyms", "published")
PUBLISHED_TRAINING = "coco_panoptic_133"  # what the published models were trained on


def seen_classes(
    name: str, words: Vocabulary, training_name: str, training: Vocabulary, rule: str = "synonyms"
) -> tuple[bool, ...]:
    """Tell which classes of a data set count as seen, and log the rule and the counts.

    Args:
        name: of the data set.
        words: its classes.
        training_name: of the training set.
        training: its classes.
        rule: ``synonyms``: a class shares a word, to the letter, with a training class; ``published``: the table of
            published flags, for models trained on COCO panoptic.

    Raises:
        ConfigError: unknown rule, or one for which there are no flags.
    """
    if rule not in RULES:
        raise ConfigError(f"DATASETS.SEEN_RULE is {rule!r}: choose among {', '.join(RULES)}.")
    flags = words.seen_by(training) if rule == "synonyms" else published_flags(name, training_name)
    others = ""
    if rule == "synonyms" and (published := flags_or_none(name, training_name)):
        others = f" Published results count {sum(published)} as seen (DATASETS.SEEN_RULE published)."
    logger.info(
        "%s: %d classes, %d seen and %d unseen in %s, by the rule %r.%s",
        name,
        len(flags),
        sum(flags),
        len(flags) - sum(flags),
        training_name,
        rule,
        others,
    )
    return flags


def published_flags(name: str, training_name: str) -> tuple[bool, ...]:
    """Return the published flags of a data set.

    Raises:
        ConfigError: there are none, or training was on another set than COCO panoptic.
    """
    flags = flags_or_none(name, training_name)
    if flags is None:
        raise ConfigError(
            f"DATASETS.SEEN_RULE is 'published', but there are no published flags for {name} after training on "
            f"{training_name}: use the rule 'synonyms'."
        )
    return flags


def flags_or_none(name: str, training_name: str) -> tuple[bool, ...] | None:
    """Return the published flags of a data set, or None where there are none."""
    if MetadataCatalog.get(training_name).get("published_seen") != PUBLISHED_TRAINING:
        return None
    return _published().get(MetadataCatalog.get(name).get("published_seen") or "")


@functools.cache
def _published() -> dict[str, tuple[bool, ...]]:
    text = resources.files("frozenseg.data").joinpath("published_seen.tsv").read_text(encoding="utf-8")
    flags: dict[str, list[bool]] = {}
    for row in csv.DictReader(text.splitlines(), delimiter="\t"):
        flags.setdefault(row["dataset"], []).append(row["seen"] == "1")
    return {dataset: tuple(values) for dataset, values in flags.items()}
