"""8-bit weights: half a step of error, per output channel, in the frozen image trunks alone."""

import copy

import onnx_ir
import torch
from torch import nn
from torch.nn.utils import parametrize

from frozenseg.export.int8_weights import _Int8Weight, quantize_trunks
from frozenseg.export.onnx_file import onnx_model
from frozenseg.modeling.meta_arch.base import MaskClassifier
from tests.export.conftest import narrow_segmenter


class Layer(nn.Module):
    """A quantised layer that returns a dictionary, like the graphs."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 32).requires_grad_(False)
        parametrize.register_parametrization(self.linear, "weight", _Int8Weight(), unsafe=True)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.linear(x)}


def test_a_weight_by_hand() -> None:
    weight = torch.tensor([[1.27, -0.64, 0.004], [0.0, 0.0, 0.0]])
    parametrisation = _Int8Weight()
    integers, scales = parametrisation.right_inverse(weight)
    assert integers.tolist() == [[127, -64, 0], [0, 0, 0]]
    assert torch.allclose(parametrisation(integers, scales), torch.tensor([[1.27, -0.64, 0.0], [0.0, 0.0, 0.0]]))


def quantised(module: nn.Module) -> int:
    return sum(value.dtype == torch.int8 for value in module.state_dict().values())


def test_trunks_alone_are_quantised_with_half_a_step_of_error() -> None:
    model = narrow_segmenter().model
    assert isinstance(model, MaskClassifier)
    before = copy.deepcopy(model.sam.image_encoder.blocks[0].mlp.lin1.weight)
    count = quantize_trunks(model)
    after = model.sam.image_encoder.blocks[0].mlp.lin1.weight
    step = before.abs().amax(dim=1, keepdim=True) / 127
    assert ((after - before).abs() <= 0.5001 * step).all()
    assert count == quantised(model.backbone.clip_model.visual.trunk) + quantised(model.sam.image_encoder) > 20
    assert quantised(model.sem_seg_head) == quantised(model.backbone.clip_model.transformer) == 0


def test_the_file_holds_integers() -> None:
    example = torch.randn(2, 64)
    layer = Layer()
    program = torch.export.export(layer, (example,), strict=False)
    model = onnx_model(program, ["x"])
    kinds = {value.dtype: value.shape for value in model.graph.initializers.values()}
    assert kinds[onnx_ir.DataType.INT8] == (32, 64)
    assert "FLOAT[32,64]" not in {f"{value.dtype}{list(value.shape)}" for value in model.graph.initializers.values()}
