"""Evaluation protocols: a file of ``configs/eval`` for each benchmark, merged into the config of the model."""

from collections.abc import Sequence
from pathlib import Path

from frozenseg.config import CfgNode, find_config, protocol_differences, with_protocol
from frozenseg.data.dataset import ResolvedDataset
from frozenseg.log import get_logger

logger = get_logger(__name__)


def benchmark_configs(cfg: CfgNode, datasets: Sequence[ResolvedDataset]) -> list[CfgNode]:
    """Return the config under which each benchmark of DATASETS.TEST is evaluated, in the order of the data sets.

    A single benchmark is evaluated under the config as it is; a warning names the keys in which it differs from the
    benchmark's protocol. No config can suit several benchmarks: each is evaluated under its own protocol, or under the
    config if it has none. Keys that were set on the command line win over protocols.

    Args:
        cfg: of the model.
        datasets: of DATASETS.TEST, resolved.

    Raises:
        ConfigError: the file of a protocol is missing or is not a config.
    """
    protocols = [_protocol_of(dataset) for dataset in datasets]
    if len(protocols) != 1:
        return [cfg if path is None else with_protocol(cfg, path) for path in protocols]
    [path] = protocols
    if path is not None and (differing := protocol_differences(cfg, path)):
        logger.warning(
            "%s is evaluated with other settings than its protocol configs/eval/%s, from which these keys differ: %s.",
            datasets[0].name,
            path.name,
            ", ".join(differing),
        )
    return [cfg]


def _protocol_of(dataset: ResolvedDataset) -> Path | None:
    protocol = dataset.metadata.protocol
    return find_config(f"eval/{protocol}") if protocol else None
