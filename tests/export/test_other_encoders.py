"""Encoders that the exported model of the other tests does not have: MobileSAM's TinyViT, and CLIP's ResNet."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from frozenseg.export.onnx_file import onnx_model, save_onnx
from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.sam.tiny_vit import TinyViTEncoder, tiny_sam


class PooledCLIP(nn.Module):
    """Dense features of a CLIP, pooled under two masks."""

    def __init__(self, clip: FrozenCLIP) -> None:
        super().__init__()
        self.clip = clip

    def forward(self, images: Tensor, masks: Tensor) -> dict[str, Tensor]:
        features = self.clip(images)
        return {"res3": features.res3, "pooled": self.clip.project(features.dense, masks)}


class EmbeddedSAM(nn.Module):
    """Embedding of a small MobileSAM."""

    def __init__(self) -> None:
        super().__init__()
        encoder = TinyViTEncoder(
            widths=(8, 16, 16, 32), depths=(1, 1, 2, 1), heads=(2, 2, 2, 2), windows=(7, 7, 14, 7), channels=16
        )
        self.sam = tiny_sam(encoder=encoder, image_size=128, channels=16)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"embedding": self.sam(images)}


def clip() -> tuple[nn.Module, tuple[Tensor, ...]]:
    masks = torch.stack([torch.ones(16, 24), -torch.ones(16, 24)])[None]  # everything, nothing
    return PooledCLIP(build_clip("toy_resnet", "random")), (torch.randn(1, 3, 64, 96), masks)


def sam() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return EmbeddedSAM(), (torch.randn(1, 3, 96, 64),)


@pytest.mark.parametrize("build", [clip, sam])
def test_values_are_those_of_pytorch(build: object, tmp_path: Path) -> None:
    module, inputs = build()  # type: ignore[operator]
    with torch.no_grad():
        expected = module(*inputs)
        program = torch.export.export(module, inputs, strict=False)
    names = [f"input{index}" for index in range(len(inputs))]
    save_onnx(onnx_model(program, names), tmp_path / "module.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "module.onnx"))
    values = session.run(list(expected), {name: each.numpy() for name, each in zip(names, inputs, strict=True)})
    for actual, value in zip(values, expected.values(), strict=True):
        assert np.abs(actual - value.numpy()).max() <= 1e-4 * max(float(value.std()), 1e-3)
