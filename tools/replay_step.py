"""Run a training step again that was not finite, and name the part of the model where it began; ``--help`` tells."""

import argparse
import sys
from collections.abc import Sequence

from frozenseg.errors import FrozenSegError

DESCRIPTION = """\
Run a training step again that was not finite.

When SOLVER.MAX_BAD_STEPS steps in a row have a loss or a gradient that is not finite, training ends and leaves the last
one in OUTPUT_DIR/bad_steps: weights, images with their truth, random states, config. This runs it again and names the
first module whose output, or going backwards whose gradient, is not finite.
"""
EXAMPLES = """\
examples:
  which module was it?
    python tools/replay_step.py output/run/bad_steps/step_0001234_rank0.pth

  does it happen in float32, too?
    python tools/replay_step.py output/run/bad_steps/step_0001234_rank0.pth SOLVER.AMP.ENABLED False

  on the CPU:
    python tools/replay_step.py output/run/bad_steps/step_0001234_rank0.pth MODEL.DEVICE cpu
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code: 0, or 2 for a mistake that the user can mend."""
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dump", help="a file of the folder bad_steps of a run")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="config keys to override")
    arguments = parser.parse_args(argv)
    from frozenseg.engine.offline.replay import replay  # torch and all the rest, which --help need not wait for

    try:
        found = replay(arguments.dump, arguments.opts)
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"step {found.iteration}, in {found.precision}, images {', '.join(found.images)}")
    width = max(map(len, found.losses))
    print(f"  {'':{width}}  {'then':>10}  {'now':>10}")
    for name, value in found.losses.items():
        print(f"  {name:{width}}  {found.losses_before.get(name, float('nan')):10.4g}  {value:10.4g}")
    if found.weights:
        print(f"first weight that is not finite: {found.weights}")
    if found.output:
        inputs = "its inputs are finite" if found.inputs_finite else "what it is given is not finite already"
        print(f"first module whose output is not finite: {found.output} ({inputs})")
    if found.gradient:
        print(f"going backwards, first module whose output gets a gradient that is not finite: {found.gradient}")
    if found.finite:
        print("everything is finite this time: what went wrong is not in the step alone (another device or precision?)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
