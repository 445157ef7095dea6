"""Seen classes: by shared names, or as published."""

import logging

import pytest

from frozenseg.data import resolve
from frozenseg.data.seen_classes import seen_classes
from frozenseg.errors import ConfigError

COCO = "openvocab_coco_2017_train_panoptic_with_sem_seg"
# counts of the published lists (FrozenSeg's and FC-CLIP's)
PUBLISHED = {
    COCO: (133, 133),
    "openvocab_ade20k_panoptic_val": (150, 64),
    "openvocab_ade20k_full_sem_seg_val": (847, 101),
    "openvocab_cityscapes_fine_panoptic_val": (19, 17),
    "openvocab_mapillary_vistas_panoptic_val": (65, 26),
    "bdd10k_40_panoptic_val": (40, 15),
    "bdd10k_val_sem_seg": (19, 13),
    "openvocab_pascal_ctx59_sem_seg_val": (59, 51),
    "openvocab_pascal_ctx459_sem_seg_val": (459, 85),
    "openvocab_pascal20_sem_seg_val": (20, 20),
    "openvocab_pascal21_sem_seg_val": (21, 21),
    "openvocab_lvis_v1_val": (1203, 57),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_counts(name: str) -> None:
    dataset = resolve(name)
    flags = seen_classes(dataset, resolve(COCO), "published")
    assert (len(flags), sum(flags)) == PUBLISHED[name]
    assert len(flags) == len(dataset.vocabulary)


def test_by_words_the_log_has_both_counts(caplog: pytest.LogCaptureFixture) -> None:
    name = "openvocab_cityscapes_fine_panoptic_val"
    with caplog.at_level(logging.INFO):
        flags = seen_classes(resolve(name), resolve(COCO))
    assert [index for index, flag in enumerate(flags) if not flag] == [5, 12]  # pole, rider
    [message] = caplog.messages
    assert "19 classes, 17 seen and 2 unseen" in message
    assert "by the rule 'synonyms'" in message
    assert "Published results count 17" in message


def test_missing_flags_and_unknown_rules_are_refused() -> None:
    dataset, training = resolve("toyworld_val_unseen"), resolve("toyworld_train")
    with pytest.raises(ConfigError, match="no published flags for toyworld_val_unseen after training on toyworld_tr"):
        seen_classes(dataset, training, "published")
    with pytest.raises(ConfigError, match="SEEN_RULE is 'guess': choose among synonyms, published"):
        seen_classes(dataset, training, "guess")
