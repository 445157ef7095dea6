"""Sample scenes of ToyWorld, to try a model on."""

from PIL import Image

from frozenseg.toyworld.export import Recipe, make_scene

SPLIT, SEED = "val_unseen", 1


def sample_scene(number: int = 4, size: int = 384) -> Image.Image:
    """Draw a scene of the zero-shot evaluation: the same image for the same arguments.

    Args:
        number: of the scene, from 1; the default has three things on water, one of them of an unseen class.
        size: height and width, pixels.

    Returns:
        (size, size) RGB image.
    """
    return Image.fromarray(make_scene(Recipe(SPLIT, SEED, number, size, size), number).image)
