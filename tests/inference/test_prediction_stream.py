"""Predictions for many images: the same results as calls, in order, from folders and generators; broken images."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.data.transforms.recipes import ShortestEdge
from frozenseg.errors import ConfigError, DataError
from frozenseg.inference.predictor import Segmenter
from frozenseg.modeling.build import build_model
from frozenseg.toyworld.export import Recipe, make_scene
from tests.tiny import TRAINING, tiny_config

CLASSES, STUFF = "red circle; blue square; grass; water", "grass; water"


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(build_model(tiny_config("FCCLIP"), TRAINING), ShortestEdge(64, 128))


def scenes() -> list[np.ndarray]:
    sizes = [(64, 64), (64, 96), (64, 64)]
    return [make_scene(Recipe("val_seen", 0, 1, *size), index).image for index, size in enumerate(sizes)]


@pytest.mark.parametrize(("batch", "workers"), [(1, 0), (3, 2)])
def test_results_are_those_of_calls(segmenter: Segmenter, tmp_path: Path, batch: int, workers: int) -> None:
    for number, scene in enumerate(scenes()):
        Image.fromarray(scene).save(tmp_path / f"{number}.png")
    stream = segmenter.predict(tmp_path, CLASSES, STUFF, outputs=("panoptic",), batch=batch, workers=workers)
    pairs = list(stream)
    assert [image.name for image, _ in pairs] == ["0.png", "1.png", "2.png"]
    for (_, result), scene in zip(pairs, scenes(), strict=True):
        assert result.semantic is None
        expected = segmenter(scene, CLASSES, STUFF)
        assert (result.panoptic[0] == expected.panoptic[0]).float().mean() > 0.999


def test_a_generator_is_read_while_results_are_used(segmenter: Segmenter) -> None:
    read = []

    def images() -> Iterator[Any]:
        for number, scene in enumerate(scenes()):
            read.append(number)
            yield torch.from_numpy(scene).permute(2, 0, 1)

    stream = segmenter.predict(images(), CLASSES, workers=0, outputs=("semantic",))
    assert read == []
    image, result = next(stream)
    assert (image.name, result.semantic.shape, read) == ("image_000001", (64, 64), [0])


def test_broken_images(segmenter: Segmenter, tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"broken")
    Image.fromarray(scenes()[0]).save(tmp_path / "1.png")
    with pytest.raises(DataError, match=r"0.png cannot be decoded"):
        list(segmenter.predict(tmp_path, CLASSES))
    assert [image.name for image, _ in segmenter.predict(tmp_path, CLASSES, skip_bad=True, batch=2)] == ["1.png"]


@pytest.mark.parametrize(("name", "value"), [("batch", 0), ("batch", True), ("workers", -1), ("workers", 1.5)])
def test_numbers_out_of_range(segmenter: Segmenter, name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{name} is .*, expected a whole number"):
        segmenter.predict([np.zeros((4, 4, 3), np.uint8)], CLASSES, **{name: value})
