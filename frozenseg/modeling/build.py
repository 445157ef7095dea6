"""The only way from a config to a model."""

from torch import nn

from frozenseg.config import CfgNode
from frozenseg.modeling.frozen import precision_named
from frozenseg.registry import META_ARCH
from frozenseg.vocabulary import Vocabulary


def build_model(cfg: CfgNode, vocabulary: Vocabulary | str) -> nn.Module:
    """Build the model that a config describes, on the CPU, in training mode.

    Args:
        cfg: the resolved config.
        vocabulary: what is trained, as a :class:`Vocabulary` or text such as ``"cat,kitten; dog"``. The model segments
            it too, until its ``set_vocabulary`` is told otherwise.

    Raises:
        ConfigError: a key contradicts another or names something unknown.
        CheckpointError: pretrained weights cannot be had.
    """
    if isinstance(vocabulary, str):
        vocabulary = Vocabulary.parse(vocabulary)
    precision = precision_named(cfg.MODEL.FROZEN_DTYPE)
    model = META_ARCH.look_up(cfg.MODEL.META_ARCHITECTURE).from_config(cfg, vocabulary)
    model.set_frozen_precision(precision)
    return model
