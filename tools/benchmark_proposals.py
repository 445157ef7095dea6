"""Time the SAM proposals against SamAutomaticMaskGenerator of the segment_anything package.

Both compute the masks of one synthetic image in one process, and their masks are compared. They share the image
encoder, which is timed separately. Random weights are changed so that masks surround their points and half of the masks
pass the threshold of the predicted IoU: the steps after the thresholds then have a realistic share of the time. The
package removes small regions only if OpenCV is installed; without it, neither implementation removes them.

Examples:
  32×32 points, ViT-B, 480×640, both precisions; minutes on a CPU:
    python tools/benchmark_proposals.py --bf16

  a small SAM, in seconds:
    python tools/benchmark_proposals.py --model vit_toy --size 96 128 --points 8

  released weights, with the numbers in a file:
    python tools/benchmark_proposals.py --model vit_l --weights sam_vit_l_0b3195.pth --output speed.json
"""

import argparse
import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING

from frozenseg.atomic import write_json
from frozenseg.cli.command_line import docstring_parser, run_script, whole_number_flag
from frozenseg.output_paths import require_file

if TYPE_CHECKING:
    from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings

ALL_MASKS = 1_000_000


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument("--model", default="vit_b", help="SAM model (default: %(default)s)")
    parser.add_argument("--weights", default="random", help="weight file, or random[:SEED] (default: %(default)s)")
    parser.add_argument("--points", type=int, default=32, help="points per side of the grid (default: %(default)s)")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(480, 640), metavar=("H", "W"), help="image size (default: 480 640)"
    )
    parser.add_argument(
        "--passing", type=float, default=0.5, help="share of masks of random weights that pass (default: 0.5)"
    )
    parser.add_argument("--bf16", action="store_true", help="also time bfloat16, against float32 of the package")
    parser.add_argument(
        "--threads",
        type=whole_number_flag(1, 1_024, "threads"),
        metavar="N",
        help="threads of PyTorch (default: its choice)",
    )
    parser.add_argument("--output", metavar="FILE", help="also write the numbers to this JSON file")
    arguments = parser.parse_args(argv)
    if arguments.points < 1:
        parser.error(f"--points is {arguments.points}: at least 1 is needed")
    if min(arguments.size) < 32:
        parser.error(f"--size is {' '.join(map(str, arguments.size))}: at least 32 32 is needed")
    if not 0 < arguments.passing <= 1:
        parser.error(f"--passing is {arguments.passing}: give a share above 0 and at most 1")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: time_proposals(arguments))


def time_proposals(arguments: argparse.Namespace) -> None:
    """Time both implementations, print a table, and write the JSON file if one is named."""
    import torch
    from tabulate import tabulate

    from frozenseg.device import pick_device
    from frozenseg.modeling.pretrained import random_seed
    from frozenseg.modeling.sam.build import build_sam
    from lab.proposal_timing.comparison import compare, synthetic_image
    from lab.proposal_timing.random_sam import draw_around_points

    if arguments.output:
        require_file(arguments.output, "--output")
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    device = pick_device("auto")
    sam = build_sam(arguments.model, arguments.weights).to(device)
    image = synthetic_image(*arguments.size)
    if random_seed(arguments.weights) is not None:
        draw_around_points(sam, image, arguments.passing)
    rows = compare(sam, image, settings_of(arguments), arguments.bf16)
    if arguments.output:
        write_json(arguments.output, {"arguments": vars(arguments), "device": str(device), "rows": rows}, indent=2)
    hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    size = "×".join(map(str, arguments.size))
    print(f"\n{arguments.model}, {arguments.points}×{arguments.points} points, {size}, {hardware}; seconds\n")
    print(tabulate([{name.replace("_", " "): _rounded(value) for name, value in row.items()} for row in rows], "keys"))


def settings_of(arguments: argparse.Namespace) -> "ProposalSettings":
    """Return the settings of the paper without a limit on the number of masks."""
    from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings

    with_opencv = importlib.util.find_spec("cv2") is not None
    min_region_area = 100 if with_opencv else 0  # the package removes small regions by OpenCV
    return ProposalSettings(points_per_side=arguments.points, max_masks=ALL_MASKS, min_region_area=min_region_area)


def _rounded(value: float | str) -> float | str:
    return f"{value:.4g}" if isinstance(value, float) else value


if __name__ == "__main__":
    raise SystemExit(main())
