"""Processor time of a call, of embedding an image, and of another vocabulary on it."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from frozenseg.inference.auto_vocabulary import AUTO, auto_vocabulary
from frozenseg.inference.predictor import Segmenter
from frozenseg.inference.result import KINDS

FIRST, SECOND = "cat; dog; grass; sky; tree", "animal; plant; road; car; house"
Row = dict[str, float | int | str]


def time_vocabularies(segmenter: Segmenter, height: int, width: int) -> list[Row]:
    """Return a row with seconds of processor time for each set of outputs; text embeddings are timed by themselves.

    Args:
        segmenter: any model.
        height: of the synthetic image, pixels.
        width: of the synthetic image, pixels.
    """
    image = _synthetic_image(height, width)
    text = [seconds(partial(segmenter.set_classes, names)) for names in (FIRST, SECOND)]
    rows: list[Row] = []
    embed, embedded = seconds_of(partial(segmenter.embed, image))
    for outputs in (("panoptic",), KINDS):
        call = seconds(partial(segmenter, image, FIRST, outputs=outputs))
        again = seconds(partial(segmenter.classify, embedded, SECOND, outputs=outputs))
        ratio = call / again
        names = ", ".join(outputs)
        row: Row = {"outputs": names, "call": call, "embed": embed, "second vocabulary": again}
        rows.append({**row, "ratio": ratio, "text": text[1]})
    return rows


def time_auto(segmenter: Segmenter, height: int, width: int) -> list[Row]:
    """Return a row with seconds of processor time of the vocabulary auto: all names, then an image with them.

    Args:
        segmenter: any model.
        height: of the synthetic image, pixels.
        width: of the synthetic image, pixels.
    """
    text = seconds(partial(segmenter.set_classes, AUTO))
    embed, embedded = seconds_of(partial(segmenter.embed, _synthetic_image(height, width)))
    classify = seconds(partial(segmenter.classify, embedded, AUTO, outputs=("panoptic",)))
    classes = len(auto_vocabulary(segmenter.class_rules.auto_names).classes)
    return [{"classes": classes, "text of all names": text, "embed": embed, "names and masks": classify}]


def _synthetic_image(height: int, width: int) -> Image.Image:
    noise = ndimage.gaussian_filter(np.random.default_rng(0).uniform(0, 255, (height, width, 3)), (8, 8, 0))
    return Image.fromarray(noise.astype(np.uint8))


def seconds(work: Callable[[], Any]) -> float:
    """Return the processor time of some work in all threads, which other processes do not change."""
    return seconds_of(work)[0]


def seconds_of(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the processor time of some work in all threads, and its result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result
