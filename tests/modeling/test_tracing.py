"""Differences of the model in a recorded graph: open sizes, parts of levels, autocast."""

import pytest
import torch
from torch import nn
from torch.export import Dim

from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.ops.level_parts import level_parts
from frozenseg.modeling.tracing import autocast, is_exported, same_size

SHAPES = ((1, 2), (2, 3))


class Resized(nn.Module):
    """Resizes maps to a fixed size, of which the example is."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        assert is_exported()
        with autocast("cpu", torch.bfloat16, enabled=False):
            return resize(maps, (8, 8)) + 0


def test_outside_of_a_graph_sizes_are_numbers() -> None:
    assert not is_exported()
    assert same_size(3, 3)
    assert not same_size(3, 4)
    with autocast("cpu", torch.bfloat16, enabled=True):
        assert torch.is_autocast_enabled("cpu")


def test_an_open_size_is_resized_also_where_the_example_has_the_target_size() -> None:
    shapes = {"maps": {2: Dim("height", min=2, max=64)}}
    program = torch.export.export(Resized(), (torch.rand(1, 1, 8, 8),), dynamic_shapes=shapes, strict=False)
    assert program.module()(torch.rand(1, 1, 20, 8)).shape == (1, 1, 8, 8)
    targets = {str(node.target) for node in program.graph.nodes}
    assert "aten.upsample_bilinear2d.vec" in targets
    assert not any("autocast" in target for target in targets)


@pytest.mark.parametrize("exported", [False, True])
def test_level_parts(exported: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frozenseg.modeling.ops.level_parts.is_exported", lambda: exported)
    first, second = level_parts(torch.arange(8.0).view(1, 8, 1), SHAPES)
    assert first.flatten().tolist() == [0, 1]
    assert second.flatten().tolist() == [2, 3, 4, 5, 6, 7]
