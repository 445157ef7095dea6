"""Every benchmark by its own protocol: a file of ``configs/eval``, merged onto the config of the model."""

from pathlib import Path

from frozenseg.config import CfgNode, find_config, protocol_differences, with_protocol
from frozenseg.data.catalog import MetadataCatalog
from frozenseg.log import get_logger

logger = get_logger(__name__)


def benchmark_configs(cfg: CfgNode) -> dict[str, CfgNode]:
    """Return the config under which each benchmark of DATASETS.TEST is evaluated.

    A single benchmark is evaluated under the config as it is; a warning names the keys in which it differs from the
    benchmark's protocol. No config can suit several benchmarks: each is evaluated under its own protocol, or under the
    config if it has none. Keys that were set on the command line win over protocols.

    Args:
        cfg: reads DATASETS.TEST.

    Raises:
        ConfigError: the file of a protocol is missing or is not a config.
    """
    protocols = {name: _protocol_of(name) for name in cfg.DATASETS.TEST}
    if len(protocols) != 1:
        return {name: cfg if path is None else with_protocol(cfg, path) for name, path in protocols.items()}
    [(name, path)] = protocols.items()
    if path is not None and (differing := protocol_differences(cfg, path)):
        logger.warning(
            "%s is evaluated with other settings than its protocol configs/eval/%s, from which these keys differ: %s.",
            name,
            path.name,
            ", ".join(differing),
        )
    return {name: cfg}


def _protocol_of(name: str) -> Path | None:
    protocol = MetadataCatalog.get(name).get("protocol")
    return find_config(f"eval/{protocol}") if protocol else None
