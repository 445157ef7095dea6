"""Data sets of a run of Detectron2, and conversion of their metadata; Detectron2 itself is not needed."""

from collections.abc import Mapping
from typing import Any

from frozenseg.config import CfgNode
from frozenseg.data.catalog import MetadataCatalog
from frozenseg.data.checks.before_run import check_samples
from frozenseg.data.dataset import ResolvedDataset
from frozenseg.data.loader import TrainDataset
from frozenseg.data.metadata import CLASS_FIELDS, Metadata, classes_from_detectron2
from frozenseg.data.run_vocabulary import resolve_for_run
from frozenseg.data.seen_classes import seen_classes
from frozenseg.data.training_classes import training_classes
from frozenseg.engine.evaluation.runner import prompted_vocabulary
from frozenseg.modeling.checkpoint_file import trained_vocabulary
from frozenseg.vocabulary import Vocabulary

LABEL_DIVISOR = 1000


def vocabulary_and_seen(
    cfg: CfgNode, dataset: ResolvedDataset, training: ResolvedDataset
) -> tuple[Vocabulary, tuple[bool, ...]]:
    """Return the vocabulary that a model is prompted with on a data set, and one seen flag per class.

    Args:
        cfg: our config.
        dataset: the data set.
        training: the classes that the model is trained on.
    """
    return prompted_vocabulary(cfg, dataset.vocabulary, seen_classes(dataset, training, cfg.DATASETS.SEEN_RULE))


def classes_of_weights(cfg: CfgNode, checkpoint: Mapping[str, Any]) -> ResolvedDataset:
    """Return the classes that MODEL.WEIGHTS were trained on; see :func:`training_classes`.

    Args:
        cfg: our config.
        checkpoint: content of the file.
    """
    trained = trained_vocabulary(checkpoint)
    return training_classes(cfg, trained, checkpoint.get("config", ""), cfg.MODEL.WEIGHTS)


def open_training(cfg: CfgNode) -> TrainDataset:
    """Return the training data sets of our config, after a check of sampled images."""
    train_set = TrainDataset.open(cfg, [resolve_for_run(cfg, name) for name in cfg.DATASETS.TRAIN])
    check_samples(train_set.parts, cfg.DATASETS.SKIP_BAD)
    return train_set


def fields_for_detectron2(name: str) -> dict[str, Any]:
    """Return the fields of a data set of ours for Detectron2's ``MetadataCatalog``.

    Its ``Visualizer`` looks a thing up in ``thing_classes`` by its index among all classes. If things are not the first
    classes, ``thing_classes`` and ``thing_colors`` therefore list all classes, as they do for Detectron2's Cityscapes.
    """
    metadata = MetadataCatalog.get(name)
    fields = {field: value for field, value in metadata.as_dict().items() if field not in CLASS_FIELDS}
    return {**fields, **_class_fields(metadata)}


def _class_fields(metadata: Metadata) -> dict[str, Any]:
    vocabulary = metadata.vocabulary
    classes = [",".join(names) for names in vocabulary.classes]
    colors = [list(color) for color in metadata.colors]
    things = [index for index, isthing in enumerate(vocabulary.isthing) if isthing]
    listed = things if things == list(range(len(things))) else range(len(classes))
    return {
        "stuff_classes": classes,
        "stuff_colors": colors,
        "stuff_dataset_id_to_contiguous_id": {category: index for index, category in enumerate(metadata.category_ids)},
        "thing_classes": [classes[index] for index in listed],
        "thing_colors": [colors[index] for index in listed],
        "thing_dataset_id_to_contiguous_id": {metadata.category_ids[index]: index for index in things},
        "label_divisor": LABEL_DIVISOR,
    }


def fields_from_detectron2(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields in our catalog of a data set that only Detectron2 knows; its class names become the vocabulary.

    Args:
        fields: of its metadata.
    """
    return {
        "evaluator_type": "coco_panoptic_seg",
        "ignore_label": 255,
        **fields,
        **classes_from_detectron2(fields),
    }
