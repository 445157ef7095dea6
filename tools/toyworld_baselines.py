"""Evaluate baselines on ToyWorld that need no training, as controls for trained models.

Example:
    python tools/toyworld_baselines.py --output output/baselines

majority: predicts one material for the whole image; all materials are equally frequent.
colour:   predicts a thing for each connected component of a thing colour, as the first category of that colour; the
          ground is the material with the nearest mean colour.
outline:  like colour, but a thing is the category with the nearest outline, plain rather than patterned. It knows
          the renderer of every colour, outline and material, also of those that are absent from the training set.

All are run over the benchmarks of the config and scored by the same metrics as a model. The results are written to
OUTPUT/NAME.json.
"""

from collections.abc import Sequence

from frozenseg.cli.command_line import run_with_arguments
from frozenseg.cli.verbs import baselines


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    return run_with_arguments(baselines, argv, __doc__)


if __name__ == "__main__":
    raise SystemExit(main())
