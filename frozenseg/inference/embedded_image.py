"""Image that is embedded once and classified with many vocabularies."""

from dataclasses import dataclass
from typing import Any

from PIL import Image

from frozenseg.data.transforms.recipes import ShortestEdge
from frozenseg.modeling.meta_arch.embedded_images import EmbeddedImages
from frozenseg.structures.image_list import ImageSize, padded_size
from frozenseg.structures.image_tensor import image_tensor


@dataclass(frozen=True, eq=False)
class EmbeddedImage:
    """Output of the model for an image before class names are read; see :meth:`Segmenter.embed`.

    Attributes:
        image: the input, upright RGB.
        features: masks and embeddings, on the device of the model.
    """

    image: Image.Image
    features: EmbeddedImages


def model_input(rgb: Image.Image, resize: ShortestEdge, with_original: bool) -> dict[str, Any]:
    """Return the model's input for an image.

    Args:
        rgb: upright RGB image.
        resize: brings it to the model's test size.
        with_original: add the image as it is, on which SAM proposes masks.
    """
    element: dict[str, Any] = {"height": rgb.height, "width": rgb.width}
    element |= {"image": image_tensor(resize.transform_image(rgb))}  # (3, h, w) uint8
    return {**element, "original_image": image_tensor(rgb)} if with_original else element


def same_size_groups(elements: list[dict[str, Any]], divisibility: int) -> list[list[int]]:
    """Return the indices of model inputs in groups that are padded to the same size.

    Args:
        elements: from :func:`model_input`.
        divisibility: of the padded height and width.
    """
    groups: dict[ImageSize, list[int]] = {}
    for index, element in enumerate(elements):
        size = padded_size([ImageSize(*element["image"].shape[-2:])], divisibility)
        groups.setdefault(size, []).append(index)
    return list(groups.values())
