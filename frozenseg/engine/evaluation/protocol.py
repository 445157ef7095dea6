"""Every benchmark by its own protocol: a file of ``configs/eval``, merged onto the config of the model."""

from collections.abc import Sequence
from pathlib import Path

from frozenseg.config import CfgNode, find_config, with_protocol
from frozenseg.data.catalog import MetadataCatalog
from frozenseg.engine.checkpoints.checkpoint import changed_keys
from frozenseg.log import get_logger

logger = get_logger(__name__)


def benchmark_configs(cfg: CfgNode, overrides: Sequence[str] = ()) -> dict[str, CfgNode]:
    """Return the config that each test set is run by.

    One test set is run as the config says; a warning names what differs from its protocol. Where several are named no
    config can suit all: each is run by its protocol, and by the config where it has none. The command line wins.

    Args:
        cfg: reads DATASETS.TEST.
        overrides: ``[KEY, VALUE, …]`` of the command line.

    Raises:
        ConfigError: a protocol's file is missing, or is no config.
    """
    if len(cfg.DATASETS.TEST) != 1:
        return {name: _by_protocol(cfg, name, overrides) for name in cfg.DATASETS.TEST}
    [name] = cfg.DATASETS.TEST
    if changed := changed_keys(_by_protocol(cfg, name).dump(), cfg.dump()):
        logger.warning(
            "%s is not run by its protocol, configs/eval/%s.yaml, from which these keys differ: %s.",
            name,
            MetadataCatalog.get(name).protocol,
            ", ".join(changed),
        )
    return {name: cfg}


def _by_protocol(cfg: CfgNode, name: str, overrides: Sequence[str] = ()) -> CfgNode:
    protocol = _protocol_of(name)
    return cfg if protocol is None else with_protocol(cfg, protocol, overrides)


def _protocol_of(name: str) -> Path | None:
    protocol = MetadataCatalog.get(name).get("protocol")
    return find_config(f"eval/{protocol}") if protocol else None
