"""Checks of the command line of ``tools/train_net.py --engine detectron2``; Detectron2 itself is not imported."""

import argparse
import os
from collections.abc import Sequence

from fvcore.common.config import CfgNode

from frozenseg.config import CfgNode as FrozenSegCfgNode
from frozenseg.device import pick_device
from frozenseg.engine.processes.launch import Processes
from frozenseg.engine.run import check
from frozenseg.errors import ConfigError
from frozenseg.modeling.checkpoint_file import read_checkpoint
from frozenseg.modeling.weights_layout import adopt_layout
from frozenseg.output_paths import require_folder
from frozenseg.plugins.detectron2_config import check_images_at_once, copy_frozenseg_keys, read_config
from frozenseg.registry import META_ARCH


def checked_config(cfg: CfgNode, arguments: argparse.Namespace, opts: Sequence[str]) -> FrozenSegCfgNode:
    """Merge our keys into a config of Detectron2, and check them like our engine does.

    Args:
        cfg: a new config from Detectron2's ``get_cfg``; gets our keys, all values, and the device of this machine.
        arguments: parsed command line.
        opts: its ``[KEY, VALUE, …]``.

    Returns:
        Our keys only.

    Raises:
        FrozenSegError: a mistake that the user can correct.
    """
    our_cfg = read_config(cfg, arguments.config_file, opts)
    check(our_cfg, arguments.eval_only)
    if our_cfg.MODEL.WEIGHTS:
        our_cfg = adopt_layout(our_cfg, read_checkpoint(our_cfg.MODEL.WEIGHTS)["model"], our_cfg.MODEL.WEIGHTS)
        copy_frozenseg_keys(cfg, our_cfg)
    META_ARCH.look_up(our_cfg.MODEL.META_ARCHITECTURE)
    if not arguments.eval_only:
        check_images_at_once(our_cfg)
    device = pick_device(our_cfg.MODEL.DEVICE).type
    _check_processes(arguments, device)
    require_folder(our_cfg.OUTPUT_DIR, "OUTPUT_DIR")
    cfg.MODEL.DEVICE = device if our_cfg.MODEL.DEVICE == "auto" else our_cfg.MODEL.DEVICE
    if device == "cpu":
        cfg.SOLVER.AMP.ENABLED = False  # Detectron2's AMP needs a GPU
    return our_cfg


def _check_processes(arguments: argparse.Namespace, device: str) -> None:
    """Check the number of processes, including cases that only our engine supports and other launchers."""
    processes = Processes(
        arguments.num_gpus,
        arguments.num_machines,
        arguments.machine_rank,
        arguments.dist_url,
        cuda=device == "cuda",
    )
    if processes.total > 1 and device == "cpu":
        raise ConfigError(
            f"--engine detectron2 needs GPUs for {processes.total} processes, but the device is cpu: omit --engine or "
            "--num-gpus."
        )
    if "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1":
        raise ConfigError(
            "--engine detectron2 starts its processes itself, but torchrun has started this one: use --num-gpus "
            "instead of torchrun, or omit --engine."
        )
