"""Layout of weights: config keys that follow from the shapes in a file of weights, unless they are set.

The released FrozenSeg weights have a SAM branch for three feature levels (:mod:`frozenseg.modeling.ops.released_read`),
the models of this project one for a single level. The number is in the shape of one weight.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from frozenseg.config import CfgNode
from frozenseg.config.defaults import KEY_BY_NAME
from frozenseg.config.yaml_files import Setting
from frozenseg.errors import ConfigError
from frozenseg.log import get_logger
from frozenseg.modeling.key_diagnosis import LEVELS_OF_SAM_BRANCH

logger = get_logger(__name__)
LAYOUT = (LEVELS_OF_SAM_BRANCH,)  # sizes of weights that set a config key


def adopt_layout(cfg: CfgNode, weights: Mapping[str, Tensor], source: object) -> CfgNode:
    """Return the config with the keys of the layout as in the shapes of weights; log each key that changes.

    A key that a file, the command line or an assignment has set is not changed: loading refuses weights that contradict
    it, and names the key.

    Args:
        cfg: the resolved config; it is not changed.
        weights: by name, to be loaded into the model of the config; may be empty.
        source: file of the weights, for the log and the origins of the keys.
    """
    origins = cfg.origins()
    adopted: dict[str, Setting] = {}
    for size in LAYOUT:
        shape = tuple(weights[size.weight].shape) if size.weight in weights else ()
        if len(shape) > size.axis and size.key not in origins and shape[size.axis] != _value(cfg, size.key):
            adopted[size.key] = Setting(shape[size.axis], f"the weights in {source}")
    if not adopted:
        return cfg
    changed: CfgNode = cfg.clone()
    changed.defrost()
    try:
        changed.merge_settings(adopted)
    except ConfigError:  # a size that the key cannot have: loading describes the difference
        return cfg
    changed.freeze()
    for key, (value, _) in adopted.items():
        logger.info(
            "%s is %s, from the shapes of the weights in %s (default %s).", key, value, source, KEY_BY_NAME[key].default
        )
    return changed


def _value(cfg: CfgNode, key: str) -> Any:
    node: Any = cfg
    for part in key.split("."):
        node = node[part]
    return node
