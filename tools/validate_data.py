r"""Check data sets before training: files, image sizes, segment ids, label values, classes and unlabelled pixels.

Examples:
  check every image of a data set, with four processes:
    python tools/validate_data.py openvocab_ade20k_panoptic_val --workers 4

  check a sample of a hundred images:
    python tools/validate_data.py openvocab_coco_2017_train_panoptic_with_sem_seg --sample 100

  check a custom data set, described by its folders:
    python tools/validate_data.py "folder:farm/images?labels=farm/labels&classes=farm/classes.txt"

  list the data sets:
    python tools/validate_data.py --list

For each data set a contact sheet of images and annotations is drawn. The exit code is 0 without problems, 1 for a data
set with problems, 2 for one that cannot be read.
"""

from collections.abc import Sequence

from frozenseg.cli.command_line import run_with_arguments
from frozenseg.cli.verbs import validate


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    return run_with_arguments(validate, argv, __doc__)


if __name__ == "__main__":
    raise SystemExit(main())
