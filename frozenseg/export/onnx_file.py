"""ONNX files of exported programs."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch.export import ExportedProgram

OPSET = 18  # the smallest one with ScatterElements by maximum; GridSample is in it since 16
FOLDED_SIZE = 1024  # largest constant that is computed in advance, numbers


def onnx_model(program: ExportedProgram, inputs: Sequence[str]) -> Any:
    """Convert a program to an ``onnx_ir.Model`` whose outputs have the names of the program's.

    The rewriting rules of onnxscript are left out, as they take a summand of 1e-8 for zero: the pooling of an empty
    mask would divide by zero.

    Args:
        program: of a graph that returns a dictionary.
        inputs: names of its inputs.
    """
    from onnx_ir.passes import common
    from onnxscript import optimizer

    outputs = list(program.call_spec.out_spec.context)
    with _quiet():
        converted = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=outputs,
            optimize=False,
            verbose=False,
        )
        model: Any = cast("torch.onnx.ONNXProgram", converted).model
        optimizer.fold_constants(model, input_size_limit=FOLDED_SIZE, output_size_limit=FOLDED_SIZE)
        common.ShapeInferencePass()(model)
        _replace_cast_like(model)
        for clean in (
            common.RemoveUnusedNodesPass(),
            common.RemoveUnusedFunctionsPass(),  # type: ignore[no-untyped-call]
            common.DeduplicateInitializersPass(),
            common.CommonSubexpressionEliminationPass(),
            common.ClearMetadataAndDocStringPass(),  # stack traces with the paths of this machine
        ):
            clean(model)
    return model


def keep_outputs(model: Any, outputs: Sequence[str]) -> tuple[str, ...]:
    """Turn all other outputs of a model into intermediate values; returns the names of all before."""
    before = tuple(dict.fromkeys(value.name for value in model.graph.outputs))  # two names of one value are equal
    kept = [value for value in model.graph.outputs if value.name in outputs]
    model.graph.outputs.clear()
    model.graph.outputs.extend(kept)
    return before


def save_onnx(model: Any, path: Path) -> None:
    """Write a model to NAME.onnx and its weights to NAME.onnx.data, one after the other."""
    import onnx_ir

    onnx_ir.save(model, path, external_data=f"{path.name}.data")


def with_outputs_of(path: Path, stages: Sequence[str]) -> bytes:
    """Return an ONNX file with intermediate values as outputs; its weights stay in the file beside it."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    present = {output.name for output in model.graph.output}
    for name in stages:
        if name not in present:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    content: bytes = model.SerializeToString()
    return content


def _replace_cast_like(model: Any) -> None:
    """Replace CastLike, which TensorRT does not have, by Cast."""
    import onnx_ir

    for node in model.graph:
        like = node.inputs[1] if node.op_type == "CastLike" else None
        if like is not None and like.dtype is not None:
            cast = onnx_ir.node("Cast", [node.inputs[0]], {"to": like.dtype.value}, name=node.name)
            cast.outputs[0].name = node.outputs[0].name
            onnx_ir.convenience.replace_nodes_and_values(model.graph, node, [node], [cast], node.outputs, cast.outputs)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the progress notes of the exporter off the terminal."""
    logger = logging.getLogger("onnxscript")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
