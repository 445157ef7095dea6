"""Pictures as training and testing see them: RGB, upright, of the size that the annotation says."""

from PIL import Image, ImageOps, UnidentifiedImageError

from frozenseg.errors import DataError


def read_image(path: str) -> Image.Image:
    """Read a picture as RGB, upright as its EXIF orientation says.

    Raises:
        DataError: it is missing or cannot be decoded; names it.
    """
    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except FileNotFoundError as error:
        raise DataError(f"The image {path} does not exist.") from error
    except UnidentifiedImageError as error:
        raise DataError(
            f"The image {path} cannot be decoded (unknown format): replace it, or go on without it by --skip-bad."
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"The image {path} cannot be decoded ({error}): replace it, or go on without it by --skip-bad."
        ) from error


def check_size(path: str, image: Image.Image, expected: tuple[int, int]) -> None:
    """Check that a picture has the size that its annotation says.

    Args:
        path: of the picture, for the message.
        image: the picture.
        expected: height and width, pixels.

    Raises:
        DataError: it has another one.
    """
    if (image.height, image.width) != tuple(expected):
        raise DataError(
            f"{path} is {image.width}×{image.height} pixels, its annotation says {expected[1]}×{expected[0]}: "
            "image and annotation do not belong together."
        )
