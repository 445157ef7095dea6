r"""Segment images with any class names, and draw the masks.

Examples:
    python tools/demo.py --output masks
        renders ToyWorld scenes and segments them with the model in the package

    python tools/demo.py --output masks --vocabulary "purple star; red cross; grass; sand" --stuff "grass; sand"
        the same with another vocabulary

    python tools/demo.py --input image.jpg --vocabulary "cat,kitten; dog; grass" --stuff "grass" --output masks \
        --config-file configs/frozenseg/convnext_large.yaml --weights frozenseg.pth

Classes are separated by ';', synonyms by ','. A long vocabulary can be read from a file with one class per line:
--vocabulary-file classes.txt. For each image NAME.ext, NAME_panoptic.png, NAME_instance.png and NAME_semantic.png
are written to the folder of --output, each with a legend; images of one NAME keep their ending, NAME.ext_panoptic.png.

With --sam-masks, SAM proposals vote for classes that are not in the training vocabulary (mask-proposal ensemble), and
NAME_sam_masks.png shows the semantic output without (left) and with them (right). The model in the package lets them
vote in all outputs, with or without the flag.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from frozenseg.cli.command_line import docstring_parser, run_script
from frozenseg.errors import DataError
from frozenseg.log import get_logger, progress, setup_logging
from frozenseg.modeling.pretrained import TOYWORLD, TOYWORLD_CONFIG
from frozenseg.output_paths import require_folder
from frozenseg.vocabulary import Vocabulary
from frozenseg.vocabulary.name_checks import warn_of_names

if TYPE_CHECKING:
    from PIL import Image

KINDS = ("panoptic", "instance", "semantic")  # of drawings
SCENES = 3


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument(
        "--input",
        type=Path,
        nargs="+",
        help="image files, folders of images or patterns such as 'in/*.jpg' (default, for the model in the package: "
        f"{SCENES} rendered scenes of ToyWorld)",
    )
    vocabulary = parser.add_mutually_exclusive_group()
    vocabulary.add_argument(
        "--vocabulary",
        metavar="CLASSES",
        help='class names, such as "cat,kitten; dog" (default, for the model in the package: all ToyWorld classes)',
    )
    vocabulary.add_argument(
        "--vocabulary-file", type=Path, metavar="FILE", help="text file with one class per line: cat,kitten"
    )
    parser.add_argument("--stuff", default="", help='stuff classes (not countable), by their first name: "sky; grass"')
    parser.add_argument("--output", type=Path, required=True, help="folder for the drawings")
    parser.add_argument(
        "--config-file",
        type=Path,
        help="YAML config of the model (default: the config in a weight file of this project)",
    )
    parser.add_argument(
        "--weights",
        help="weight file, of this project or a release (default: MODEL.WEIGHTS of the config; without a config "
        "toyworld: the model in the package, which is trained on ToyWorld only)",
    )
    parser.add_argument("--sam-masks", action="store_true", help="let SAM proposals vote, and draw the difference")
    parser.add_argument("--allow-partial", action="store_true", help="load the weights that fit and ignore the others")
    parser.add_argument("--device", help="cpu, cuda or auto (default: MODEL.DEVICE of the config)")
    parser.add_argument("--skip-bad", action="store_true", help="skip images that cannot be decoded")
    parser.add_argument(
        "options", nargs="*", metavar="KEY VALUE", help="config overrides, such as INPUT.MIN_SIZE_TEST 640"
    )
    arguments = parser.parse_intermixed_args(argv)
    if arguments.config_file is None and arguments.weights is None:
        if "MODEL.WEIGHTS" in arguments.options:
            parser.error("MODEL.WEIGHTS needs --config-file: without a config, give the weights by --weights")
        arguments.weights = TOYWORLD
    has_vocabulary = arguments.vocabulary is not None or arguments.vocabulary_file is not None
    if arguments.config_file is not None or arguments.weights != TOYWORLD:
        if arguments.input is None:
            parser.error("--input is missing: it is needed with every model but toyworld")
        if not has_vocabulary:
            parser.error("--vocabulary or --vocabulary-file is missing: needed with every model but toyworld")
    if arguments.stuff and not has_vocabulary:
        parser.error("--stuff needs --vocabulary or --vocabulary-file")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: segment(arguments))


def segment(arguments: argparse.Namespace) -> None:
    """Segment and draw all images. Vocabulary, images and output folder are checked before the model is built."""
    setup_logging()
    vocabulary = vocabulary_of(arguments)
    from frozenseg.device import pick_device
    from frozenseg.inference.image_files import distinct_names
    from frozenseg.inference.predictor import Segmenter

    logger = get_logger(__name__)
    if arguments.device is not None:
        pick_device(arguments.device, "--device")
    images = readable(arguments.input, arguments.skip_bad) if arguments.input else []
    if images and arguments.weights == TOYWORLD:
        logger.warning("The model is trained on ToyWorld only; choose another one with --weights.")
    require_folder(arguments.output, "--output")
    images = images or render_scenes(arguments.output)
    names = distinct_names(images)
    refuse_overwriting(images, names, arguments.output)
    options = [*arguments.options, *(["MODEL.ALLOW_PARTIAL_WEIGHTS", "True"] if arguments.allow_partial else [])]
    options += ["TEST.USE_SAM_MASKS", "True"] if arguments.sam_masks else []
    config = arguments.config_file or (TOYWORLD_CONFIG if arguments.weights == TOYWORLD else None)
    segmenter = Segmenter.from_config(config, arguments.weights, arguments.device, options=options)
    for path, name in progress(list(zip(images, names, strict=True)), "segmenting"):
        result = segmenter(path, vocabulary)
        result.save(arguments.output, name)
        if arguments.sam_masks:
            without = segmenter(path, vocabulary, sam_masks=False)
            both = side_by_side(without.draw("semantic"), result.draw("semantic"))
            both.save(arguments.output / f"{name}_sam_masks.png")
    print(f"{len(images)} {'image' if len(images) == 1 else 'images'} segmented; drawings: {arguments.output}")


def side_by_side(left: "Image.Image", right: "Image.Image") -> "Image.Image":
    """Return two drawings side by side on a white background."""
    from PIL import Image

    both = Image.new("RGB", (left.width + right.width, max(left.height, right.height)), "white")
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    return both


def vocabulary_of(arguments: argparse.Namespace) -> Vocabulary:
    """Return the vocabulary of the command line, of its vocabulary file, or of ToyWorld.

    Raises:
        DataError: The vocabulary is empty or cannot be read, or a class of ``--stuff`` is not in it.
    """
    stuff = [name.strip() for name in arguments.stuff.split(";") if name.strip()]
    if arguments.vocabulary is None and arguments.vocabulary_file is None:
        from frozenseg.inference.named_vocabularies import toyworld_vocabulary

        return toyworld_vocabulary()
    if arguments.vocabulary_file is None:
        return Vocabulary.parse(arguments.vocabulary, stuff)
    from frozenseg.vocabulary.files import read_vocabulary_lines

    lines = read_vocabulary_lines(arguments.vocabulary_file)
    warn_of_names([line.names for line in lines], str(arguments.vocabulary_file))
    stuff += [line.names[0] for line in lines if line.isthing is False]
    return Vocabulary.from_strings([",".join(line.names) for line in lines], stuff=stuff)


def render_scenes(folder: Path) -> list[Path]:
    """Render scenes of ToyWorld's zero-shot split into a folder; returns the image files."""
    from frozenseg.inference.sources.sample_scenes import sample_scenes

    paths = []
    for scene in sample_scenes():
        paths.append(folder / scene.name)
        scene.decode().save(paths[-1])
    return paths


def refuse_overwriting(images: Sequence[Path], names: Sequence[str], folder: Path) -> None:
    """Raise DataError if a drawing would overwrite one of the images, or if a folder has the name of a drawing."""
    inputs = {image.resolve() for image in images}
    for name in names:
        for kind in (*KINDS, "sam_masks"):
            drawing = folder / f"{name}_{kind}.png"
            if drawing.resolve() in inputs:
                raise DataError(f"The drawing {drawing} would overwrite an image: choose another --output.")
            if drawing.is_dir():
                raise DataError(f"The drawing {drawing} cannot be written, as it is a folder: choose another --output.")


def readable(paths: Sequence[Path], skip_bad: bool) -> list[Path]:
    """Return the images of paths, folders and patterns that can be decoded.

    Raises:
        DataError: A folder or pattern has no image, an image cannot be decoded (without ``skip_bad``), or none can.
    """
    from frozenseg.inference.image_files import list_images
    from frozenseg.inference.image_inputs import load_image

    good: list[Path] = []
    for path in list_images(paths):
        try:
            load_image(path)
        except DataError as error:
            if not skip_bad:
                raise
            get_logger("frozenseg.demo").warning("Skipped: %s", error)
            continue
        good.append(path)
    if not good:
        raise DataError("None of the images can be decoded: give at least one readable image with --input.")
    return good


if __name__ == "__main__":
    raise SystemExit(main())
