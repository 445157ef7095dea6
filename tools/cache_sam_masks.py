r"""Make SAM's own masks of data sets ahead, so that evaluations with TEST.USE_SAM_MASKS find them.

Example:
    python tools/cache_sam_masks.py openvocab_pascal21_sem_seg_val --cache output/sam_masks \
        --config-file configs/frozenseg/convnext_large.yaml --num-gpus 4

Pictures that have masks in the folder already are passed over: the same command goes on where it was interrupted, and
several machines may share the folder. Evaluate with TEST.USE_SAM_MASKS True TEST.SAM_MASK_CACHE output/sam_masks; masks
of another MODEL.FROZEN_DTYPE than the evaluation's are not found.

Masks that the released code has made, a pickle NAME.pkl for each picture NAME.ext, are taken over with --released:
    python tools/cache_sam_masks.py openvocab_pascal21_sem_seg_val --cache output/sam_masks --released PICKLES \
        --config-file configs/frozenseg/convnext_large.yaml
They were made with red and blue swapped: add TEST.SAM_MASK_BGR True to the evaluation that uses them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from frozenseg.errors import FrozenSegError


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    description, _, epilog = (__doc__ or "").partition("\n")
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=epilog, formatter_class=formatter)
    parser.add_argument("datasets", nargs="+", metavar="DATASET", help="names of data sets")
    parser.add_argument("--config-file", required=True, metavar="FILE", help="config of the model whose SAM it is")
    parser.add_argument("--cache", required=True, metavar="FOLDER", help="where the masks go")
    parser.add_argument("--released", type=Path, metavar="FOLDER", help="take masks over from pickles in this folder")
    parser.add_argument("--limit", type=float, metavar="GIB", help="of the folder's size (default: the config's, 20)")
    parser.add_argument("--bf16", action="store_true", help="compute in bfloat16: faster, a little different")
    parser.add_argument("--skip-bad", action="store_true", help="leave out pictures that cannot be decoded")
    parser.add_argument("--num-gpus", type=int, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--opts", nargs="*", default=[], metavar="KEY VALUE", help="config overrides")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code: 0, 2 for a mistake that the user can mend, 130 after Ctrl-C."""
    arguments = parse_arguments(argv)
    from frozenseg.config import load_config
    from frozenseg.device import pick_device
    from frozenseg.engine.offline.sam_masks import fill_mask_cache
    from frozenseg.engine.processes.launch import Processes, launch
    from frozenseg.log import setup_logging

    setup_logging()
    options = [*arguments.opts, "TEST.USE_SAM_MASKS", "True", "TEST.SAM_MASK_CACHE", arguments.cache]
    options += ["TEST.SAM_MASK_CACHE_GIB", arguments.limit] if arguments.limit is not None else []
    options += ["TEST.SAM_MASK_BF16", "True"] if arguments.bf16 else []
    options += ["DATASETS.SKIP_BAD", "True"] if arguments.skip_bad else []
    options += ["TEST.SAM_MASK_BGR", "True"] if arguments.released else []
    try:
        cfg = load_config(arguments.config_file, options)
        processes = Processes(arguments.num_gpus, cuda=pick_device(cfg.MODEL.DEVICE).type == "cuda")
        return launch(fill_mask_cache, (cfg, arguments.datasets, arguments.released), processes)
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command goes on with it", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
