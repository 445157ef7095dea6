r"""Compute the SAM proposals of data sets in advance, for evaluations with TEST.USE_SAM_MASKS.

Example:
    python tools/cache_sam_masks.py openvocab_pascal21_sem_seg_val --cache output/sam_masks \
        --config-file configs/frozenseg/convnext_large.yaml --num-gpus 4

Images with masks in the folder are skipped: after an interruption the same command resumes, and several machines may
share the folder. Evaluate with TEST.USE_SAM_MASKS True TEST.SAM_MASK_CACHE output/sam_masks and the same
MODEL.FROZEN_DTYPE: masks computed in another dtype are not used.

Masks written by the released code, a pickle NAME.pkl for each image NAME.ext, are imported by --released:
    python tools/cache_sam_masks.py openvocab_pascal21_sem_seg_val --cache output/sam_masks --released PICKLES \
        --config-file configs/frozenseg/convnext_large.yaml
The released code computes them with red and blue swapped: add TEST.SAM_MASK_BGR True to the evaluation.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from frozenseg.cli.command_line import docstring_parser, run_script


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument("datasets", nargs="+", metavar="DATASET", help="names of data sets, as in DATASETS.TEST")
    parser.add_argument(
        "--config-file", required=True, metavar="FILE", help="YAML config of the model, which names the SAM"
    )
    parser.add_argument("--cache", required=True, metavar="FOLDER", help="folder for the masks")
    parser.add_argument(
        "--released", type=Path, metavar="FOLDER", help="import the masks from the pickles in this folder"
    )
    parser.add_argument(
        "--limit", type=float, metavar="GIB", help="largest size of the folder (default: from the config, 20)"
    )
    parser.add_argument("--bf16", action="store_true", help="compute in bfloat16: faster, with rounding differences")
    parser.add_argument("--skip-bad", action="store_true", help="skip images that cannot be decoded")
    parser.add_argument("--num-gpus", type=int, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--opts", nargs="*", default=[], metavar="KEY VALUE", help="config overrides")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: fill_cache(arguments), "interrupted; run the same command again to resume")


def fill_cache(arguments: argparse.Namespace) -> int:
    """Compute or import the masks, in as many processes as requested; returns the exit code."""
    from frozenseg.config import load_config
    from frozenseg.device import pick_device
    from frozenseg.engine.offline.sam_masks import fill_mask_cache
    from frozenseg.engine.processes.launch import Processes, launch
    from frozenseg.log import setup_logging
    from frozenseg.output_paths import require_folder

    setup_logging()
    require_folder(arguments.cache, "--cache")
    options = [*arguments.opts, "TEST.USE_SAM_MASKS", "True", "TEST.SAM_MASK_CACHE", arguments.cache]
    options += ["TEST.SAM_MASK_CACHE_GIB", arguments.limit] if arguments.limit is not None else []
    options += ["TEST.SAM_MASK_BF16", "True"] if arguments.bf16 else []
    options += ["DATASETS.SKIP_BAD", "True"] if arguments.skip_bad else []
    options += ["TEST.SAM_MASK_BGR", "True"] if arguments.released else []
    cfg = load_config(arguments.config_file, options)
    processes = Processes(arguments.num_gpus, cuda=pick_device(cfg.MODEL.DEVICE).type == "cuda")
    return launch(fill_mask_cache, (cfg, arguments.datasets, arguments.released), processes)


if __name__ == "__main__":
    raise SystemExit(main())
