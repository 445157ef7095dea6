"""Builder of the model that a config describes."""

from functools import partial
from typing import cast

from frozenseg.config import CfgNode
from frozenseg.modeling.frozen import precision_named
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.values_by_name import build_with_values_by_name
from frozenseg.registry import META_ARCH
from frozenseg.vocabulary import Vocabulary


def build_model(cfg: CfgNode, vocabulary: Vocabulary | str) -> MaskClassifier:
    """Build the model that a config describes, on the CPU, in training mode.

    Args:
        cfg: the resolved config.
        vocabulary: the training vocabulary, as a :class:`Vocabulary` or text such as ``"cat,kitten; dog"``. It is also
            the default vocabulary at inference; see :meth:`SegmentationModel.set_vocabulary`.

    Raises:
        ConfigError: a key contradicts another one or has an unknown name as its value.
        CheckpointError: pretrained weights are missing, damaged or cannot be downloaded.
    """
    if isinstance(vocabulary, str):
        vocabulary = Vocabulary.parse(vocabulary)
    precision = precision_named(cfg.MODEL.FROZEN_DTYPE)
    architecture = cast(type[MaskClassifier], META_ARCH.look_up(cfg.MODEL.META_ARCHITECTURE))
    build = partial(architecture.from_config, cfg, vocabulary)
    model = build_with_values_by_name(build, cfg.SEED) if cfg.MODEL.INITIAL_VALUES_BY_NAME else build()
    model.set_frozen_precision(precision)
    return model
