"""Tables of all config keys: name, default, role, bounds, meaning and unit.

The names are those of Detectron2, Mask2Former, FC-CLIP and FrozenSeg, so that published configs load unchanged. Keys of
the released code without effect here are listed in ``legacy.py``.
"""

from frozenseg.config.defaults.data_keys import DATA_KEYS
from frozenseg.config.defaults.key import ROLES, Key, Role
from frozenseg.config.defaults.model_keys import MODEL_KEYS
from frozenseg.config.defaults.predict_keys import PREDICT_KEYS
from frozenseg.config.defaults.run_keys import RUN_KEYS
from frozenseg.config.defaults.solver_keys import SOLVER_KEYS
from frozenseg.config.defaults.test_keys import TEST_KEYS

__all__ = ["KEYS", "KEY_BY_NAME", "ROLES", "Key", "Role", "names_with_role"]

KEYS: tuple[Key, ...] = (*RUN_KEYS, *MODEL_KEYS, *TEST_KEYS, *PREDICT_KEYS, *DATA_KEYS, *SOLVER_KEYS)
KEY_BY_NAME: dict[str, Key] = {key.name: key for key in KEYS}


def names_with_role(*roles: Role) -> frozenset[str]:
    """Return the dotted names of the keys that have one of the roles."""
    return frozenset(key.name for key in KEYS if key.role in roles)
