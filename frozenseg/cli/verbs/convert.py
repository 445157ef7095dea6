r"""Convert a weight file of any readable format to the trained weights alone, or to the format of the releases.

Examples:
  a slim safetensors file: trained weights, config, vocabulary and the hashes of the frozen encoders:
    frozenseg convert --config toyworld/frozenseg_tiny \
        --input output/toyworld/frozenseg_tiny/model_final.pth --output output/slim.safetensors

  from a released file, which also contains CLIP and SAM; they are written only if they differ from the config's:
    frozenseg convert --input frozenseg.pth --output frozenseg.safetensors \
        --config frozenseg/convnext_large

  to the format of the releases, {"model": all weights in fp32}, with CLIP and SAM from the config:
    frozenseg convert --config toyworld/frozenseg_tiny --to released \
        --input output/slim.safetensors --output output/released.pth

The model of the config is built and the weights are loaded into it, so every written tensor fits the config.
"""

import argparse
from pathlib import Path
from typing import Any

from frozenseg.errors import ConfigError
from frozenseg.file_hash import sha256_of
from frozenseg.output_paths import require_file

_FORMS = {
    "slim": "trained weights, config and vocabulary, .safetensors",
    "checkpoint": "the same in the format that training writes, .pth",
    "released": "all weights in fp32 with CLIP and SAM, the format of the FC-CLIP and FrozenSeg releases, .pth",
}
_SAFETENSORS = ".safetensors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the files, the config and the target format."""
    parser.add_argument("--input", type=Path, required=True, help="weights: .pth, .pth.tar, .pkl or .safetensors")
    parser.add_argument("--output", type=Path, required=True, help="file to write")
    parser.add_argument(
        "--config-file",
        "--config",
        type=Path,
        required=True,
        metavar="FILE",
        help="config of the model: a YAML file or the name of a shipped one",
    )
    forms = "; ".join(f"{name}: {content}" for name, content in _FORMS.items())
    parser.add_argument("--to", choices=_FORMS, default="slim", help=f"{forms} (default: slim)")
    parser.add_argument("--force", action="store_true", help="replace the output file if it exists")
    parser.add_argument(
        "--allow-partial",
        action="store_true",
        help="load the weights that fit; the others stay untrained, also in the output",
    )
    parser.add_argument(
        "options", nargs="*", metavar="KEY VALUE", help="config overrides, such as MODEL.SAM_WEIGHTS sam_vit_b.pth"
    )


def run(arguments: argparse.Namespace) -> None:
    """Check the output path, convert the weights, write them and print a summary.

    Raises:
        FrozenSegError: the output cannot be written, or the weights do not fit the config.
    """
    _check(arguments)
    print(_write(arguments.output, _convert(arguments)))


def _check(arguments: argparse.Namespace) -> None:
    """Check that the output can be written, before the model is built.

    Raises:
        ConfigError: The output exists, its extension does not fit ``--to``, or it cannot be written.
    """
    path = arguments.output
    if (path.suffix == _SAFETENSORS) != (arguments.to == "slim"):
        raise ConfigError(f"--output {path} does not fit --to {arguments.to}: {_FORMS[arguments.to]}.")
    if path.exists() and not arguments.force:
        raise ConfigError(f"--output {path} exists: choose another name, or give --force to replace it.")
    require_file(path, "--output")


def _convert(arguments: argparse.Namespace) -> dict[str, Any]:
    """Load the input into the model of the config; returns the content of the output file."""
    from frozenseg.config import load_config
    from frozenseg.data.run_vocabulary import build_vocabulary
    from frozenseg.log import setup_logging
    from frozenseg.modeling.build import build_model
    from frozenseg.modeling.checkpoint_file import read_checkpoint, trained_vocabulary
    from frozenseg.modeling.load_weights import checkpoint_content, load_checkpoint
    from frozenseg.modeling.weights_layout import adopt_layout

    setup_logging()
    cfg = load_config(arguments.config_file, arguments.options)
    checkpoint = read_checkpoint(arguments.input)
    vocabulary = trained_vocabulary(checkpoint)
    if vocabulary is None and not cfg.DATASETS.TRAIN:
        raise ConfigError(
            f"{arguments.input} contains no training vocabulary: name the training data set with DATASETS.TRAIN."
        )
    cfg = adopt_layout(cfg, checkpoint["model"], arguments.input)
    model = build_model(cfg, vocabulary or build_vocabulary(cfg, cfg.DATASETS.TRAIN[0]))
    load_checkpoint(
        model,
        checkpoint,
        arguments.input,
        allow_partial=arguments.allow_partial,
        how_to_allow="pass --allow-partial",
    )
    if arguments.to == "released":
        return {"model": _in_fp32(model.state_dict())}
    return checkpoint_content(model, model.frozen_hashes(), cfg.dump())


def _in_fp32(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state dict with all floating-point tensors in float32."""
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def _write(path: Path, content: dict[str, Any]) -> str:
    """Write the file atomically; returns a line with its size and hash."""
    from frozenseg.modeling.checkpoint_file import write_checkpoint

    write_checkpoint(path, content)
    count = sum(value.numel() for value in content["model"].values())
    megabytes = path.stat().st_size / 1e6
    return f"{path}: {len(content['model'])} tensors, {count:,} numbers, {megabytes:.1f} MB, sha256 {sha256_of(path)}"
