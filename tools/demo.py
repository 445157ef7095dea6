r"""Segment pictures with your own words, and draw what was found.

Examples:
    python tools/demo.py --output masks
        paints scenes of ToyWorld and segments them with the model that comes with the package

    python tools/demo.py --output masks --vocabulary "purple star; red cross; grass; sand" --stuff "grass; sand"
        the same by other words

    python tools/demo.py --input picture.jpg --vocabulary "cat,kitten; dog; grass" --stuff "grass" --output masks \
        --config-file configs/frozenseg/convnext_large.yaml --weights frozenseg.pth

Classes are separated by ';', synonyms by ','. Many of them are easier to keep in a file, one class a line:
    --vocabulary-file words.txt. For each picture NAME.ext the folder given by --output gets
NAME_panoptic.png, NAME_instance.png and NAME_semantic.png, each with a legend.

With --sam-masks SAM's own masks vote for classes that training has not shown (the paper's mask-proposal ensemble), and
NAME_sam_masks.png shows the semantic output without (left) and with them (right).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from frozenseg.errors import ConfigError, DataError, FrozenSegError
from frozenseg.toyworld.shipped import TOYWORLD
from frozenseg.vocabulary import Vocabulary
from frozenseg.vocabulary.files import read_vocabulary_lines

SCENES = 3
SCENE_SIZE = 384  # pixels a side; the model sees all sizes alike


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    description, _, epilog = (__doc__ or "").partition("\n")
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=epilog, formatter_class=formatter)
    parser.add_argument(
        "--input",
        type=Path,
        nargs="+",
        help=f"pictures (default, for ToyWorld's own model: {SCENES} scenes, painted for the occasion)",
    )
    words = parser.add_mutually_exclusive_group()
    words.add_argument(
        "--vocabulary",
        metavar="WORDS",
        help='words, such as "cat,kitten; dog" (default, for the model of ToyWorld: all of its own)',
    )
    words.add_argument(
        "--vocabulary-file", type=Path, metavar="FILE", help="file of words, one class a line: cat,kitten"
    )
    parser.add_argument("--stuff", default="", help='those classes that are not countable, by first name: "sky; grass"')
    parser.add_argument("--output", type=Path, required=True, help="folder for the drawings")
    parser.add_argument(
        "--config-file", type=Path, help="YAML file of the model (default: the config that our own weights hold)"
    )
    parser.add_argument(
        "--weights",
        help="its weights, ours or released (default: the config's MODEL.WEIGHTS; without a config toyworld, the model "
        "that comes with the package and knows ToyWorld alone)",
    )
    parser.add_argument("--sam-masks", action="store_true", help="let SAM's own masks vote, and show what that changes")
    parser.add_argument("--allow-partial", action="store_true", help="load only what fits of the weights")
    parser.add_argument("--device", help="cpu, cuda, or auto (default: the config's MODEL.DEVICE)")
    parser.add_argument("--skip-bad", action="store_true", help="leave out pictures that cannot be decoded")
    parser.add_argument(
        "options", nargs="*", metavar="KEY VALUE", help="config overrides, such as INPUT.MIN_SIZE_TEST 640"
    )
    arguments = parser.parse_intermixed_args(argv)
    if arguments.config_file is None and arguments.weights is None:
        if "MODEL.WEIGHTS" in arguments.options:
            parser.error("without --config-file, name the weights by --weights, not by MODEL.WEIGHTS")
        arguments.weights = TOYWORLD
    words_given = arguments.vocabulary is not None or arguments.vocabulary_file is not None
    if arguments.config_file is not None or arguments.weights != TOYWORLD:
        if arguments.input is None:
            parser.error("a model of yours needs pictures: give --input")
        if not words_given:
            parser.error("a model of yours needs words: give --vocabulary or --vocabulary-file")
    if arguments.stuff and not words_given:
        parser.error("--stuff goes with --vocabulary or --vocabulary-file")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code: 0, or 2 for a mistake that the user can mend."""
    arguments = parse_arguments(argv)
    try:
        count = segment(arguments)
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{count} {'picture' if count == 1 else 'pictures'} segmented; drawings: {arguments.output}")
    return 0


def segment(arguments: argparse.Namespace) -> int:
    """Segment and draw all pictures; returns their number. What can be wrong is checked before the model is built."""
    vocabulary = asked_words(arguments)
    from frozenseg.inference.predictor import Segmenter
    from frozenseg.log import get_logger, progress, setup_logging

    setup_logging()
    logger = get_logger(__name__)
    pictures = readable(arguments.input, arguments.skip_bad) if arguments.input else []
    if pictures and arguments.weights == TOYWORLD:
        logger.warning("The model is ToyWorld's and has seen nothing else: name another by --weights.")
    make_folder(arguments.output)
    pictures = pictures or paint_scenes(arguments.output)
    options = [*arguments.options, *(["MODEL.ALLOW_PARTIAL_WEIGHTS", "True"] if arguments.allow_partial else [])]
    options += ["TEST.USE_SAM_MASKS", "True"] if arguments.sam_masks else []
    segmenter = Segmenter.from_config(arguments.config_file, arguments.weights, arguments.device, options=options)
    for path in progress(pictures, "segmenting"):
        result = segmenter(path, vocabulary)
        result.save(arguments.output, path.stem)
        if arguments.sam_masks:
            without = segmenter(path, vocabulary, sam_masks=False)
            both = side_by_side(without.draw("semantic"), result.draw("semantic"))
            both.save(arguments.output / f"{path.stem}_sam_masks.png")
    return len(pictures)


def side_by_side(left: Image.Image, right: Image.Image) -> Image.Image:
    """Lay two drawings beside each other, on white."""
    both = Image.new("RGB", (left.width + right.width, max(left.height, right.height)), "white")
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    return both


def asked_words(arguments: argparse.Namespace) -> Vocabulary:
    """Return the words of the command line, or of the file that it names.

    Raises:
        DataError: they are empty or cannot be read, or a class that is said to be stuff is not among them.
    """
    stuff = [name.strip() for name in arguments.stuff.split(";") if name.strip()]
    if arguments.vocabulary is None and arguments.vocabulary_file is None:
        from frozenseg.toyworld.categories import all_categories

        known = all_categories()
        return Vocabulary(tuple(category.names for category in known), tuple(category.isthing for category in known))
    if arguments.vocabulary_file is None:
        return Vocabulary.parse(arguments.vocabulary, stuff)
    lines = read_vocabulary_lines(arguments.vocabulary_file)
    stuff += [line.names[0] for line in lines if line.isthing is False]
    return Vocabulary.from_strings([",".join(line.names) for line in lines], stuff=stuff)


def paint_scenes(folder: Path) -> list[Path]:
    """Paint scenes of ToyWorld's zero-shot test into a folder; returns the pictures."""
    from frozenseg.toyworld.export import Recipe, make_scene

    recipe = Recipe("val_unseen", seed=1, count=SCENES, height=SCENE_SIZE, width=SCENE_SIZE)
    paths = [folder / f"toyworld_{number}.png" for number in range(1, SCENES + 1)]
    for number, path in enumerate(paths, start=1):
        Image.fromarray(make_scene(recipe, number).image).save(path)
    return paths


def make_folder(path: Path) -> None:
    """Make the folder for the drawings.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--output {path} cannot be made a folder ({error.strerror}): choose another.") from error


def readable(paths: Sequence[Path], skip_bad: bool) -> list[Path]:
    """Return the pictures that can be decoded.

    Raises:
        DataError: one cannot (unless ``skip_bad``), none can, or two would be drawn into the same files.
    """
    from frozenseg.inference.predictor import read_picture
    from frozenseg.log import get_logger

    good: list[Path] = []
    for path in paths:
        try:
            read_picture(path)
        except DataError as error:
            if not skip_bad:
                raise
            get_logger("frozenseg.demo").warning("Left out: %s", error)
            continue
        if path.stem in (other.stem for other in good):
            raise DataError(f"Two pictures are called {path.stem!r}; their drawings would have the same names.")
        good.append(path)
    if not good:
        raise DataError("None of the pictures can be decoded.")
    return good


if __name__ == "__main__":
    sys.exit(main())
