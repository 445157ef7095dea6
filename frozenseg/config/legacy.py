"""Legacy config keys: keys of the released code without effect here, accepted with a warning so that its configs load.

Keys in ``FIXED`` select behaviour that this model does not have. They are accepted only with the value for which the
released code behaves like this model.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from frozenseg.config.yaml_files import Setting
from frozenseg.errors import ConfigError
from frozenseg.log import get_logger

logger = get_logger(__name__)

FIXED: dict[str, tuple[Any, ...]] = {
    "MODEL.SEM_SEG_HEAD.IN_FEATURES": (["res2", "res3", "res4", "res5"],),
    "MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_IN_FEATURES": (["res3", "res4", "res5"],),
    "MODEL.SEM_SEG_HEAD.COMMON_STRIDE": (4,),
    "MODEL.SEM_SEG_HEAD.NORM": ("GN",),
    "MODEL.MASK_FORMER.PRE_NORM": (False,),
    "MODEL.MASK_FORMER.ENFORCE_INPUT_PROJ": (False,),
    "MODEL.MASK_FORMER.TRANSFORMER_IN_FEATURE": ("multi_scale_pixel_decoder",),
    "INPUT.CROP.ENABLED": (False,),
    "INPUT.COLOR_AUG_SSD": (False,),
    "DATALOADER.SAMPLER_TRAIN": ("TrainingSampler",),
    "SOLVER.NESTEROV": (False,),
    "SOLVER.WARMUP_METHOD": ("linear",),
    "SOLVER.RESCALE_INTERVAL": (False,),
    "SOLVER.REFERENCE_WORLD_SIZE": (0,),
    "TEST.PRECISE_BN.ENABLED": (False,),
}

IGNORED: frozenset[str] = frozenset(
    {
        "MODEL.BACKBONE.FREEZE_AT",
        "MODEL.SEM_SEG_HEAD.IGNORE_VALUE",  # a property of the data set
        "MODEL.SEM_SEG_HEAD.NUM_CLASSES",  # follows from the training vocabulary
        "MODEL.SEM_SEG_HEAD.LOSS_WEIGHT",
        "MODEL.SEM_SEG_HEAD.LOSS_TYPE",
        "MODEL.SEM_SEG_HEAD.PROJECT_FEATURES",
        "MODEL.SEM_SEG_HEAD.PROJECT_CHANNELS",
        "MODEL.SEM_SEG_HEAD.USE_DEPTHWISE_SEPARABLE_CONV",
        "MODEL.MASK_FORMER.ENC_LAYERS",
        "INPUT.MIN_SIZE_TRAIN",
        "INPUT.MIN_SIZE_TRAIN_SAMPLING",
        "INPUT.MAX_SIZE_TRAIN",
        "INPUT.MASK_FORMAT",
        "INPUT.SIZE_DIVISIBILITY",
        "DATALOADER.REPEAT_THRESHOLD",
        "DATALOADER.REPEAT_SQRT",
        "SOLVER.NUM_DECAYS",
        "SOLVER.BIAS_LR_FACTOR",
        "SOLVER.WEIGHT_DECAY_BIAS",
        "SOLVER.POLY_LR_POWER",
        "SOLVER.POLY_LR_CONSTANT_ENDING",
        "TEST.PKL_SAM_MODEL_NAME",
        "FLOAT32_PRECISION",
        "VIS_PERIOD",
    }
)

IGNORED_SECTIONS = (
    "MODEL.RESNETS.",
    "MODEL.SWIN.",
    "MODEL.SEM_SEG_HEAD.ASPP_",
    "INPUT.CROP.",
    "TEST.PRECISE_BN.",
)


def is_legacy(name: str) -> bool:
    """Return True if a dotted key belongs to the released code only."""
    return name in FIXED or name in IGNORED or name.startswith(IGNORED_SECTIONS)


def check_legacy(settings: Mapping[str, Setting]) -> None:
    """Check settings of legacy keys, and log one warning that lists them.

    Args:
        settings: by dotted legacy key.

    Raises:
        ConfigError: a value selects behaviour that this model does not have.
    """
    for name, setting in settings.items():
        value = list(setting.value) if isinstance(setting.value, tuple) else setting.value
        if name in FIXED and _plain(value) not in FIXED[name]:
            allowed = " or ".join(repr(choice) for choice in FIXED[name])
            raise ConfigError(
                f"{setting.origin}: {name} is {value!r}, but this model supports only {allowed}: remove the key."
            )
    if settings:
        logger.warning("Keys of the released code that have no effect here: %s.", ", ".join(sorted(settings)))


def _plain(value: Any) -> Any:
    """Return the YAML value of a text from the command line; other values unchanged."""
    return yaml.safe_load(value) if isinstance(value, str) else value
