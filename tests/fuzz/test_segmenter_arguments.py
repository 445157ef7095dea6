"""Arguments of the Segmenter: images and vocabularies of many types, in one call on an untrained tiny model."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from PIL import Image

from frozenseg.data.transforms.recipes import ShortestEdge
from frozenseg.inference.predictor import Segmenter
from frozenseg.modeling.build import build_model
from frozenseg.vocabulary import Vocabulary
from tests.fuzz.fuzz_format import fuzz
from tests.fuzz.mutations import odd_values
from tests.tiny import TRAINING, tiny_config

KINDS = ("array", "array", "array", "tensor", "file", "path", "bytes", "open file", "image", "list", "odd")
DTYPES = ("uint8", "uint8", "float32", "float64", "int64", "uint16", "bool", "complex64", "float16", "int8")
MODES = ("RGB", "L", "RGBA", "P", "1", "I;16", "F", "CMYK")
VOCABULARIES = ("cat,kitten; grass", "cat", " cat ;grass", "", ";", "cat;", "a; a", "é; 猫", "cat\ngrass", ["cat",
         "grass"], ("cat",), [],
                [""], [["cat", "kitten"], ["grass"]], {"cat": ["kitten"]}, {"cat": "kitten", "grass": []}, {},
         {"cat", "grass"}, None, 3,
                Vocabulary.parse("cat; grass", ["grass"]), b"cat", [1, 2], "x" * 400, "cat,dog,tree")  # fmt: skip
STUFF = ((), [], "grass", ["grass"], ("grass",), {"grass"}, ["unknown"], None, 3, [None], "cat; grass", "")


@st.composite
def segmenter_cases(draw: DrawFn) -> dict[str, Any]:
    """Draw the arguments of a call: how the image is passed, its shape and type, the vocabulary."""
    sides = st.one_of(st.integers(0, 40), st.sampled_from((1, 2, 3, 4, 200)))
    shape = draw(st.one_of(
        st.tuples(sides, sides, st.just(3)), st.tuples(sides, sides, st.sampled_from((1, 3, 4, 2))),
        st.tuples(sides, sides), st.tuples(st.just(3), sides, sides), st.lists(sides, max_size=4).map(tuple),
    ))  # fmt: skip
    valid = st.sampled_from(("cat,kitten; grass", ["cat", "grass"]))
    return {
        "kind": draw(st.sampled_from(KINDS)),
        "shape": shape,
        "dtype": draw(st.sampled_from(DTYPES)),
        "mode": draw(st.sampled_from(MODES)),
        "scale": draw(st.sampled_from((1.0, 1.0, 255.0, -1.0, 1e9, float("nan")))),
        "odd": draw(odd_values()),
        "vocabulary": draw(st.one_of(valid, st.sampled_from(VOCABULARIES), odd_values())),
        "stuff": draw(st.one_of(st.just(()), st.sampled_from(STUFF))),
    }


def argument(case: dict[str, Any], folder: Path) -> Any:
    """Return the image of a case, as it is passed."""
    kind, rng = case["kind"], np.random.default_rng(0)
    if kind == "odd":
        return case["odd"]
    if kind in ("array", "tensor"):
        with np.errstate(all="ignore"):
            array = np.asarray(rng.random(case["shape"]) * case["scale"]).astype(case["dtype"])
        return array if kind == "array" else torch.from_numpy(array)
    height, width = (*case["shape"], 5, 7)[:2]
    image = Image.new(case["mode"], (max(1, width), max(1, height)))
    if kind == "image":
        return image
    buffer, path = io.BytesIO(), folder / "image.tiff"
    image.save(buffer, "tiff")
    path.write_bytes(buffer.getvalue())
    forms = {"file": str(path), "path": path, "bytes": buffer.getvalue(), "list": [image, str(path)]}
    return path.open("rb") if kind == "open file" else forms[kind]


@cache
def segmenter() -> Segmenter:
    """Return an untrained segmenter that resizes images to 32 pixels."""
    torch.manual_seed(0)
    return Segmenter(build_model(tiny_config("FCCLIP"), TRAINING), ShortestEdge(32, 64))


@fuzz("segmenter arguments", segmenter_cases(), examples=25)
def test_segmenter_arguments(case: dict[str, Any], folder: Path) -> None:
    image = argument(case, folder)
    results = segmenter()(image, case["vocabulary"], stuff=case["stuff"])
    for result in results if isinstance(results, list) else [results]:
        size = (result.image.height, result.image.width)
        assert result.panoptic[0].shape == result.semantic.shape == size
        assert result.instances.image_size == size
        assert 0 <= int(result.semantic.min()) <= int(result.semantic.max()) < len(result.vocabulary)
        result.draw("panoptic")
