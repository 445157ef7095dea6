"""FLOPs from shapes: by hand on a small model, and equal to fvcore's count on a complete one."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frozenseg.modeling.build import build_model
from frozenseg.modeling.flops import REST, count_flops, placeholder_text_embeddings
from frozenseg.modeling.meta_device import on_meta_device
from frozenseg.modeling.types import MaskPredictions
from tests.tiny import TEST, TRAINING, tiny_config

ATTENTION = "_scaled_dot_product_flash_attention_for_cpu"


class Small(nn.Module):
    """One operator of each kind, on a 4×6 image: the box "CLIP image" and the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 8, kernel_size=2, stride=2), nn.GroupNorm(2, 8))
        self.head = nn.Linear(8, 5)

    def forward(self, batch: list[dict[str, Any]]) -> Tensor:
        maps = self.backbone(batch[0]["image"].float()[None])  # (1, 8, 2, 3)
        queries = maps.flatten(2).transpose(1, 2)[:, None]  # (1, 1, 6, 8)
        attended = F.scaled_dot_product_attention(queries, queries, queries)
        sampled = F.grid_sample(maps, torch.zeros(1, 7, 2, 2), align_corners=False)  # (1, 8, 7, 2)
        return self.head(attended).sum() + sampled.relu().sum()


def test_every_kind_of_operator_by_hand() -> None:
    with on_meta_device():
        model = Small()
    flops = count_flops(model, (4, 6))
    convolution, norm = 3 * 2 * 2 * 8 * 6, 5 * 8 * 6
    attention, linear, sampling = 2 * 6 * 6 * 8, 6 * 8 * 5, 4 * 8 * 14
    by_operator = dict(flops.by_operator)
    assert sum(by_operator.pop(name, 0) for name in (ATTENTION, "bmm")) == attention  # PyTorch chooses one of them
    assert by_operator == {
        "convolution": convolution,
        "native_group_norm": norm,
        "addmm": linear,
        "grid_sampler_2d (deformable attention)": sampling,
    }
    assert flops.by_box == {"CLIP image": convolution + norm, REST: attention + linear + sampling}
    assert flops.uncounted["relu"] == 8 * 14  # named, with the number of values it returned
    assert not set(flops.uncounted) & set(flops.by_operator)


class Traceable(nn.Module):
    """For fvcore's tracer: a tensor in, and all predictions out, so that it ignores no layer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        model.text_classifier = placeholder_text_embeddings
        model.postprocess = lambda logits, *_: logits
        model.sem_seg_head.register_forward_hook(lambda *arguments: self.predictions.append(arguments[-1]))
        self.predictions: list[MaskPredictions] = []

    def forward(self, image: Tensor) -> Any:
        return self.model([{"image": image}]), self.predictions.pop()


@pytest.mark.filterwarnings("ignore")  # of PyTorch, about its own tracer
@pytest.mark.parametrize("meta_arch", ["FrozenSeg", "FCCLIP"])
def test_fvcore_counts_the_same_where_it_can_count(meta_arch: str) -> None:
    from fvcore.nn import FlopCountAnalysis  # PyTorch warns of what it imports

    analysis = FlopCountAnalysis(
        Traceable(build_model(tiny_config(meta_arch), TRAINING).eval()), torch.zeros(3, 64, 96, dtype=torch.uint8)
    )
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    theirs = analysis.total()
    with on_meta_device():
        model = build_model(tiny_config(meta_arch), TRAINING)
    flops = count_flops(model, (64, 96))
    assert analysis.unsupported_ops()["aten::scaled_dot_product_attention"] > 0  # fvcore leaves it out
    ours = sum(flops.by_operator.values()) - flops.by_operator[ATTENTION]
    # fvcore reads einsum's count from four printed digits, and ignores the last query injection, whose result is unused
    assert ours == pytest.approx(theirs, rel=2e-3)
    for operator, name in {"convolution": "conv", "native_group_norm": "group_norm"}.items():
        assert flops.by_operator[operator] == analysis.by_operator()[name]
    assert sum(flops.by_box.values()) == sum(flops.by_operator.values())


def test_boxes_are_those_of_the_model() -> None:
    with on_meta_device():
        models = {name: build_model(tiny_config(name), TRAINING) for name in ("FrozenSeg", "FCCLIP")}
    boxes = {name: set(count_flops(model, (64, 64)).by_box) for name, model in models.items()}
    assert boxes["FCCLIP"] == {REST, "CLIP image", "pixel decoder", "transformer decoder"}
    assert boxes["FrozenSeg"] == boxes["FCCLIP"] | {"SAM encoder", "SAM branch", "injectors"}


def test_a_lower_precision_has_as_many_operations() -> None:
    precisions = ("float32", "bfloat16", "int8")
    with on_meta_device():
        models = [build_model(tiny_config("FCCLIP", "MODEL.FROZEN_DTYPE", name), TRAINING) for name in precisions]
    full, *lower = (count_flops(model, (64, 64)).by_box for model in models)
    assert lower == [full, full]


def test_placeholders_have_the_shapes_of_text_embeddings() -> None:
    text = placeholder_text_embeddings(TEST, torch.zeros(1, 16))
    assert text.embeddings.shape == (6, 16)  # five synonyms and void
    assert torch.allclose(text.embeddings.norm(dim=-1), torch.ones(6))
    assert text.class_index.tolist() == [0, 1, 2, 3, 3, 4]
    assert text.classes == 5
