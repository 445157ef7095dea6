"""Scenes of ToyWorld's zero-shot split, embedded once, with the names that are in them."""

from typing import NamedTuple

from PIL import Image

from frozenseg.inference.embedded_image import EmbeddedImage
from frozenseg.inference.predictor import Segmenter
from frozenseg.toyworld.export import Recipe, make_scene

SPLIT = "val_unseen"


class KnownScene(NamedTuple):
    """An embedded scene and the first names of its segments."""

    embedded: EmbeddedImage
    present: tuple[str, ...]


def known_scenes(segmenter: Segmenter, count: int, size: int, seed: int) -> list[KnownScene]:
    """Render and embed scenes.

    Args:
        segmenter: of the package's model.
        count: number of scenes.
        size: height and width, pixels.
        seed: of the scenes.
    """
    recipe = Recipe(SPLIT, seed, count, size, size)
    scenes = [make_scene(recipe, number) for number in range(1, count + 1)]
    return [
        KnownScene(
            segmenter.embed(Image.fromarray(scene.image)),
            tuple(dict.fromkeys(segment.category.name for segment in scene.segments)),
        )
        for scene in scenes
    ]
