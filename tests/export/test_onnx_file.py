"""ONNX files: their operators and opset, and small summands that stay."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from frozenseg.export.onnx_file import OPSET, onnx_model, save_onnx

WITHOUT = {"CastLike", "SplitToSequence", "SequenceAt", "Loop", "If", "NonZero"}  # unknown to TensorRT, or slow


class Mean(nn.Module):
    """Mean under a mask that may be empty, as in mask pooling."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"mean": x / (x.sum(dim=-1, keepdim=True) + 1e-8)}


def test_a_summand_of_1e_8_stays(tmp_path: Path) -> None:
    program = torch.export.export(Mean(), (torch.ones(2, 3),), strict=False)
    save_onnx(onnx_model(program, ["x"]), tmp_path / "mean.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "mean.onnx"))
    [mean] = session.run(["mean"], {"x": np.zeros((2, 3), dtype=np.float32)})
    assert mean.tolist() == [[0.0] * 3] * 2  # 0 / 0 without it


def test_graphs_have_portable_operators_of_one_opset(exported: Path) -> None:
    for name in ("image.onnx", "text.onnx"):
        model = onnx.load(exported / name, load_external_data=False)
        assert [(each.domain, each.version) for each in model.opset_import] == [("", OPSET)]
        assert {node.op_type for node in model.graph.node} & WITHOUT == set()
        assert not any(node.domain or node.doc_string or node.metadata_props for node in model.graph.node)
    model = onnx.load(exported / "image.onnx", load_external_data=False)
    sampled = [node for node in model.graph.node if node.op_type == "GridSample"]
    assert len(sampled) == 8  # of three levels, and of SAM's, in two layers each
    assert [output.name for output in model.graph.output] == [
        "class_probabilities",
        "masks",
        "semantic_probabilities",
    ]


def test_no_path_of_this_machine_is_in_the_files(exported: Path) -> None:
    folder = str(Path(__file__).parents[2]).encode()
    for path in exported.iterdir():
        assert folder not in path.read_bytes(), path.name
