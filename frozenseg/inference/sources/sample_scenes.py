"""Rendered scenes of ToyWorld, for a first try without images."""

from functools import partial

from PIL import Image

from frozenseg.inference.sources.image_list import ImageList
from frozenseg.inference.sources.source_image import PendingImage
from frozenseg.toyworld.export import Recipe, make_scene

SCENES = 3
SCENE_SIZE = 384  # height and width in pixels


def sample_scenes(count: int = SCENES) -> ImageList:
    """Return scenes of ToyWorld's zero-shot split, which have classes that the model is not trained on.

    Args:
        count: number of scenes.
    """
    names = [f"toyworld_{number}" for number in range(1, count + 1)]
    scenes = [partial(_scene, number, count) for number in range(1, count + 1)]
    return ImageList(
        tuple(
            PendingImage(f"{name}.png", name, scene, None, "rendered")
            for name, scene in zip(names, scenes, strict=True)
        )
    )


def _scene(number: int, count: int) -> Image.Image:
    recipe = Recipe("val_unseen", seed=1, count=count, height=SCENE_SIZE, width=SCENE_SIZE)
    return Image.fromarray(make_scene(recipe, number).image)
