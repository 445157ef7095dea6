r"""Draw panoptic predictions beside the ground truth, for the first images of every benchmark of a config.

Example:
    python tools/draw_predictions.py --config-file configs/toyworld/frozenseg_tiny.yaml --output output/drawings \
        MODEL.WEIGHTS output/toyworld/frozenseg_tiny/model_final.pth

writes output/drawings/BENCHMARK.png with one row per image: image, ground truth, prediction.
"""

from collections.abc import Sequence

from frozenseg.cli.command_line import run_with_arguments
from frozenseg.cli.verbs import draw


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    return run_with_arguments(draw, argv, __doc__)


if __name__ == "__main__":
    raise SystemExit(main())
