"""Rendered scenes of ToyWorld, for a first try without images."""

from functools import partial

from frozenseg.inference.sources.image_list import InputImages
from frozenseg.inference.sources.source_image import PendingImage
from frozenseg.toyworld.samples import sample_scene

SCENES = (4, 87, 119)  # numbers in the split: the model of the package is right in all segments, with all class names
SCENE_SIZE = 384  # height and width in pixels


def sample_scenes() -> InputImages:
    """Return scenes of ToyWorld's zero-shot split, which have classes that the model is not trained on."""
    scenes = []
    for index, number in enumerate(SCENES, start=1):
        name, draw = f"toyworld_{index}", partial(sample_scene, number, SCENE_SIZE)
        scenes.append(PendingImage(f"{name}.png", name, draw, None, f"scene {number}"))
    return InputImages(tuple(scenes))
