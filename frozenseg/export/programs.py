"""Programs of ``torch.export`` for both graphs, with the sizes that they keep open.

Letters: B images, C classes, N synonyms of all classes, H×W the padded input, E the width of CLIP's joint space, P
prompts, T tokens.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torch.export import Dim, ExportedProgram

from frozenseg.export.graphs import ImageGraph, ImageInputs, TextGraph

MAX_BATCH, LARGEST_INPUT, MAX_NAMES = 64, 8192, 1_000_000
EXAMPLE_BATCH, EXAMPLE_SIZE = 2, (160, 192)  # of an open size; torch would take 1, and equal sides, for fixed


class GraphSize(NamedTuple):
    """Height and width of the image graph's input, multiples of the divisibility; None for any of them, and batches."""

    fixed: tuple[int, int] | None
    divisibility: int = 32


def image_program(graph: ImageGraph, size: GraphSize) -> ExportedProgram:
    """Export the image graph, open in classes and names, and in batch, height and width without a fixed size."""
    example = example_inputs(size, graph.model.backbone.embed_dim)
    classes, rows = Dim("classes", min=1, max=MAX_NAMES), Dim("rows", min=2, max=MAX_NAMES)
    shapes: dict[str, Any] = {"text_embeddings": {0: rows}, "class_index": {0: rows}, "seen": {0: classes}}
    if size.fixed is None:
        batch, step = Dim("batch", min=1, max=MAX_BATCH), size.divisibility
        height, width = (Dim(name, min=1, max=LARGEST_INPUT // step) for name in ("height", "width"))
        shapes |= {"images": {0: batch, 2: step * height, 3: step * width}, "sizes": {0: batch}}
    else:
        shapes |= {"images": {}, "sizes": {}}
    return _export(graph, tuple(example), shapes)


def text_program(graph: TextGraph) -> ExportedProgram:
    """Export the text graph, open in prompts and tokens."""
    length = int(graph.clip.clip_model.positional_embedding.shape[0])
    tokens = torch.zeros(3, min(7, length), dtype=torch.int64)
    prompts, tokens_of_prompt = Dim("prompts", min=1, max=MAX_NAMES), Dim("length", min=2, max=length)
    shapes = {"tokens": {0: prompts, 1: tokens_of_prompt}, "ends": {0: prompts}}
    return _export(graph, (tokens, torch.full((3,), 3)), shapes)


def example_inputs(size: GraphSize, embed_dim: int) -> ImageInputs:
    """Return inputs of the image graph: noise, five classes with seven names."""
    batch = EXAMPLE_BATCH if size.fixed is None else 1
    height, width = size.fixed or EXAMPLE_SIZE
    generator = torch.Generator().manual_seed(0)
    return ImageInputs(
        torch.randint(0, 256, (batch, 3, height, width), generator=generator, dtype=torch.uint8),
        torch.tensor([[height, width]] * batch),
        F.normalize(torch.randn(8, embed_dim, generator=generator), dim=-1),
        torch.tensor([0, 0, 1, 2, 2, 3, 4, 5]),
        torch.tensor([True, False, True, True, False]),
    )


@torch.no_grad()
def _export(graph: nn.Module, example: tuple[Any, ...], shapes: dict[str, Any]) -> ExportedProgram:
    return torch.export.export(graph, example, dynamic_shapes=shapes, strict=False)
