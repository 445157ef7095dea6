"""The registered data sets against facts that need no files."""

import pytest

from frozenseg.data import MetadataCatalog, vocabulary_of
from frozenseg.toyworld.categories import all_categories

COCO = "openvocab_coco_2017_val_panoptic_with_sem_seg"


def test_toyworld_vocabularies():
    train, seen, unseen = (vocabulary_of(f"toyworld_{split}") for split in ("train", "val_seen", "val_unseen"))
    assert train == seen
    assert all(seen.seen_by(train))
    flags = unseen.seen_by(train)
    assert flags == tuple(category.tier == "seen" for category in all_categories())
    assert sum(flags) == len(train)


def test_toyworld_groups_are_the_unseen_tiers():
    assert MetadataCatalog.get("toyworld_train").category_groups == {}
    groups = MetadataCatalog.get("toyworld_val_unseen").category_groups
    assert sorted(groups) == ["combination", "material", "word"]
    flags = vocabulary_of("toyworld_val_unseen").seen_by(vocabulary_of("toyworld_train"))
    unseen = [index for index, seen in enumerate(flags) if not seen]
    assert sorted(index for group in groups.values() for index in group) == unseen


@pytest.mark.parametrize(
    ("number", "index"),
    [
        (1, 0),  # person
        (90, 79),  # toothbrush, the last thing
        (92, 80),  # banner, the first stuff
        (200, 132),  # rug
    ],
)
def test_coco_ids(number, index):
    assert MetadataCatalog.get(COCO).contiguous_ids[number] == index


def test_coco_classes():
    metadata = MetadataCatalog.get(COCO)
    assert len(metadata.vocabulary) == 133
    assert sum(metadata.vocabulary.isthing) == 80
    assert metadata.vocabulary.classes[2] == ("car", "automobile")
    assert metadata.colors[0] == (220, 20, 60)
    assert metadata.vocabulary.classes[132] == ("rug", "carpet", "mat")
    synonyms = ",".join(metadata.vocabulary.synonyms)
    assert "merged" not in synonyms
    assert "-" not in synonyms
    assert "other" not in synonyms


def test_coco_train_and_val_share_their_class_names():
    assert vocabulary_of(COCO) == vocabulary_of(COCO.replace("val", "train"))
