r"""Convert a weight file of any readable format to the trained weights alone, or to the format of the releases.

Examples:
  a slim safetensors file: trained weights, config, vocabulary and the hashes of the frozen encoders:
    python tools/convert_checkpoint.py --config-file configs/toyworld/frozenseg_tiny.yaml \
        --input output/toyworld/frozenseg_tiny/model_final.pth --output output/slim.safetensors

  from a released file, which also contains CLIP and SAM; they are written only if they differ from the config's:
    python tools/convert_checkpoint.py --input frozenseg.pth --output frozenseg.safetensors \
        --config-file configs/frozenseg/convnext_large.yaml

  to the format of the releases, {"model": all weights in fp32}, with CLIP and SAM from the config:
    python tools/convert_checkpoint.py --config-file configs/toyworld/frozenseg_tiny.yaml --to released \
        --input output/slim.safetensors --output output/released.pth

The model of the config is built and the weights are loaded into it, so every written tensor fits the config.
"""

from collections.abc import Sequence

from frozenseg.cli.command_line import run_with_arguments
from frozenseg.cli.verbs import convert


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    return run_with_arguments(convert, argv, __doc__)


if __name__ == "__main__":
    raise SystemExit(main())
