"""What ``tools/train_net.py --engine detectron2`` is asked for, checked without Detectron2."""

import argparse
import os
from collections.abc import Sequence

from fvcore.common.config import CfgNode

from frozenseg.config import CfgNode as FrozenSegCfg
from frozenseg.device import pick_device
from frozenseg.engine.processes.launch import Processes
from frozenseg.engine.run import check
from frozenseg.errors import ConfigError
from frozenseg.plugins.detectron2_config import read_config, refuse_parts
from frozenseg.registry import META_ARCH


def checked_config(cfg: CfgNode, arguments: argparse.Namespace, opts: Sequence[str]) -> FrozenSegCfg:
    """Fill a fresh config of Detectron2, and refuse in the words of our own engine what cannot work.

    Args:
        cfg: as Detectron2's ``get_cfg`` returns it; gets our keys, all values, and the device of this machine.
        arguments: the command line.
        opts: ``[KEY, VALUE, …]``.

    Returns:
        Our keys alone.

    Raises:
        FrozenSegError: a mistake that the user can mend.
    """
    own = read_config(cfg, arguments.config_file, opts)
    check(own, arguments.eval_only)
    META_ARCH.look_up(own.MODEL.META_ARCHITECTURE)
    if not arguments.eval_only:
        refuse_parts(own)
    device = pick_device(own.MODEL.DEVICE).type
    _check_processes(arguments, device)
    cfg.MODEL.DEVICE = device if own.MODEL.DEVICE == "auto" else own.MODEL.DEVICE
    if device == "cpu":
        cfg.SOLVER.AMP.ENABLED = False  # Detectron2's AMP needs a GPU
    return own


def _check_processes(arguments: argparse.Namespace, device: str) -> None:
    """Refuse numbers of processes that cannot work, those that only our engine can, and those of another launcher."""
    processes = Processes(
        arguments.num_gpus,
        arguments.num_machines,
        arguments.machine_rank,
        arguments.dist_url,
        cuda=device == "cuda",
    )
    if processes.total > 1 and device == "cpu":
        raise ConfigError("Detectron2 trains in several processes on GPUs only: leave out --engine or --num-gpus.")
    if "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1":
        raise ConfigError(
            "Detectron2 starts its own processes: give --num-gpus without torchrun, or leave out --engine."
        )
