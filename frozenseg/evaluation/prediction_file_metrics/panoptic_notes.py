"""Comparison of the images and categories that the two JSON files of a panoptic score list."""

from collections.abc import Collection, Mapping
from pathlib import Path

from frozenseg.errors import DataError, shown
from frozenseg.evaluation.prediction_file_metrics.pairs import PanopticFile
from frozenseg.evaluation.prediction_file_metrics.panoptic_entries import PanopticCategory, PanopticEntries
from frozenseg.structures.record import ImageId


def different_names(categories: Mapping[int, PanopticCategory], predictions: PanopticEntries) -> list[str]:
    """Compare the categories of the predictions, which the file may list, with those of the ground truth.

    Returns:
        A note if a category has another name; empty if names agree or are not listed.

    Raises:
        DataError: the predictions have the names of the ground truth under other ids.
    """
    listed = predictions.top.fields.get("categories")
    names = {
        item["id"]: item["name"]
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict) and isinstance(item.get("id"), int) and isinstance(item.get("name"), str)
    }
    number_of = {category.name: number for number, category in categories.items() if category.name}
    different = [
        (number, name)
        for number, name in names.items()
        if number in categories and categories[number].name and _plain(categories[number].name) != _plain(name)
    ]
    for number, name in different:
        if name in number_of:
            raise DataError(
                f"{predictions.path} has the category {number} {name!r}, which is {categories[number].name!r} in the "
                f"ground truth; there, {name!r} has the id {number_of[name]}: write predictions with the category ids "
                "of the ground truth."
            )
    if not different:
        return []
    number, name = different[0]
    return [
        f"{len(different)} categories have another name in the predictions, such as {number}: {name!r} for "
        f"{categories[number].name!r}: they are compared by their ids."
    ]


def swapped_files(
    annotated: Mapping[ImageId, PanopticFile], predicted: Mapping[ImageId, PanopticFile], path: str | Path
) -> list[str]:
    """Return a note if predictions have the file name of another image's ground truth; empty if none has."""
    image_of = {file.path.name: image for image, file in annotated.items()}
    other = [
        (image, file.path.name, image_of[file.path.name])
        for image, file in predicted.items()
        if file.path.name != annotated[image].path.name and file.path.name in image_of
    ]
    if not other:
        return []
    image, name, owner = other[0]
    return [
        f"{len(other)} entries of {path} have the file_name of another image, such as {name!r} for image "
        f"{shown(image)}, which is the PNG of image {shown(owner)} in the ground truth: image_id decides."
    ]


def unscored_images(listed: Collection[ImageId], annotated: Collection[ImageId], path: str | Path) -> list[str]:
    """Return a note if the ground truth lists images without an annotation; empty if it does not."""
    known = set(map(str, annotated))
    missing = [image for image in listed if str(image) not in known]
    if not missing:
        return []
    return [
        f"{len(missing)} of {len(listed)} images of {path} have no entry in its annotations (such as image "
        f"{shown(missing[0])}): they are not scored."
    ]


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ").replace("-", " ").strip()
