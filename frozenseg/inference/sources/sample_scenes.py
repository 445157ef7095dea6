"""Rendered scenes of ToyWorld, for a first try without images."""

from functools import partial

from PIL import Image

from frozenseg.inference.sources.image_list import InputImages
from frozenseg.inference.sources.source_image import PendingImage
from frozenseg.toyworld.export import Recipe, make_scene

SCENES = (4, 87, 119)  # numbers in the split: the model of the package is right in all segments, with all class names
SCENE_SIZE = 384  # height and width in pixels


def sample_scenes() -> InputImages:
    """Return scenes of ToyWorld's zero-shot split, which have classes that the model is not trained on."""
    return InputImages(
        tuple(
            PendingImage(f"toyworld_{index}.png", f"toyworld_{index}", partial(_scene, number), None, f"scene {number}")
            for index, number in enumerate(SCENES, start=1)
        )
    )


def _scene(number: int) -> Image.Image:
    recipe = Recipe("val_unseen", seed=1, count=number, height=SCENE_SIZE, width=SCENE_SIZE)
    return Image.fromarray(make_scene(recipe, number).image)
