r"""Convert weights: any file that can be read → trained weights alone, or the whole model as it was released.

Examples:
  a slim, safe file of the trained weights, with config, vocabulary and the hashes of the frozen encoders in it:
    python tools/convert_checkpoint.py --config-file configs/toyworld/frozenseg_tiny.yaml \
        --input output/toyworld/frozenseg_tiny/model_final.pth --output output/slim.safetensors

  from a released file, which holds CLIP and SAM too and knows the SAM branch with 3 levels only:
    python tools/convert_checkpoint.py --input frozenseg.pth --output frozenseg.safetensors \
        --config-file configs/frozenseg/convnext_large.yaml MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS 3

  back into the form of the releases, {"model": every weight in fp32}, CLIP and SAM from the config:
    python tools/convert_checkpoint.py --config-file configs/toyworld/frozenseg_tiny.yaml --to released \
        --input output/slim.safetensors --output output/released.pth

The model of the config is built and the weights are loaded into it, so what is written has been checked.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from frozenseg.errors import CheckpointError, ConfigError, FrozenSegError

FORMS = {
    "slim": "trained weights and what they were trained with, .safetensors",
    "checkpoint": "the same as training writes it, .pth",
    "released": "all weights in fp32, CLIP and SAM too, as FC-CLIP and FrozenSeg were released, .pth",
}
SAFETENSORS = ".safetensors"
BLOCK = 1 << 20  # bytes hashed at once


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    description, _, epilog = (__doc__ or "").partition("\n")
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=epilog, formatter_class=formatter)
    parser.add_argument("--input", type=Path, required=True, help="weights: .pth, .pth.tar, .pkl or .safetensors")
    parser.add_argument("--output", type=Path, required=True, help="file to write")
    parser.add_argument("--config-file", type=Path, required=True, help="YAML file of the model")
    forms = "; ".join(f"{name}: {what}" for name, what in FORMS.items())
    parser.add_argument("--to", choices=FORMS, default="slim", help=f"{forms} (default: slim)")
    parser.add_argument("--force", action="store_true", help="replace the output where it exists")
    parser.add_argument(
        "--allow-partial", action="store_true", help="load what fits; the rest is untrained, in the output too"
    )
    parser.add_argument(
        "options", nargs="*", metavar="KEY VALUE", help="config overrides, such as MODEL.SAM_WEIGHTS sam_vit_b.pth"
    )
    return parser.parse_intermixed_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code: 0, or 2 for a mistake that the user can mend."""
    arguments = parse_arguments(argv)
    try:
        check(arguments)
        content = convert(arguments)
        print(write(arguments.output, content))
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def check(arguments: argparse.Namespace) -> None:
    """Refuse what cannot be written, before the model is built.

    Raises:
        ConfigError: the output exists, or is called what it is not.
    """
    path = arguments.output
    if (path.suffix == SAFETENSORS) != (arguments.to == "slim"):
        raise ConfigError(f"--output {path} does not fit --to {arguments.to}: {FORMS[arguments.to]}.")
    if path.exists() and not arguments.force:
        raise ConfigError(f"--output {path} exists: choose another name, or replace it with --force.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"The folder of --output {path} cannot be made ({error.strerror}).") from error


def convert(arguments: argparse.Namespace) -> dict[str, Any]:
    """Load the input into the model of the config; returns what is to be written."""
    from frozenseg.config import load_config
    from frozenseg.data.run_vocabulary import build_vocabulary
    from frozenseg.log import setup_logging
    from frozenseg.modeling.build import build_model
    from frozenseg.modeling.checkpoint_file import read_checkpoint, trained_vocabulary
    from frozenseg.modeling.load_weights import checkpoint_content, load_checkpoint

    setup_logging()
    cfg = load_config(arguments.config_file, arguments.options)
    checkpoint = read_checkpoint(arguments.input)
    vocabulary = trained_vocabulary(checkpoint)
    if vocabulary is None and not cfg.DATASETS.TRAIN:
        raise ConfigError(f"{arguments.input} does not say what it was trained on: name it as DATASETS.TRAIN.")
    model = build_model(cfg, vocabulary or build_vocabulary(cfg, cfg.DATASETS.TRAIN[0]))
    configured = model.frozen_hashes()
    load_checkpoint(model, checkpoint, arguments.input, allow_partial=arguments.allow_partial)
    if arguments.to == "released":
        return {"model": in_fp32(model.state_dict())}
    frozen = model.frozen_hashes()
    for part, digest in frozen.items():
        if digest != configured[part]:
            raise CheckpointError(
                f"The frozen {part!r} in {arguments.input} is not the one that the config builds (hash {digest}, there "
                f"{configured[part]}), and {arguments.output} would hold its hash only: give the config the pretrained "
                "weights that the input was trained with."
            )
    return checkpoint_content(model, frozen, cfg.dump())


def in_fp32(state: dict[str, Any]) -> dict[str, Any]:
    """Return weights with all floating-point numbers in single precision."""
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def write(path: Path, content: dict[str, Any]) -> str:
    """Write the file, whole or not at all; returns a line about it."""
    from frozenseg.modeling.checkpoint_file import write_checkpoint

    write_checkpoint(path, content)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    count = sum(value.numel() for value in content["model"].values())
    megabytes = path.stat().st_size / 1e6
    return (
        f"{path}: {len(content['model'])} tensors, {count:,} numbers, {megabytes:.1f} MB, sha256 {digest.hexdigest()}"
    )


if __name__ == "__main__":
    sys.exit(main())
