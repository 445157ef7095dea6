"""Waits of the host for the device: none from the images to class logits and masks, a few in the outputs.

The model runs on a fake GPU, whose tensors have shapes but no values: an operation that needs a value on the host, or a
shape that depends on values, raises an error there. Copies between devices are recorded.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from frozenseg.modeling.build import build_model
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.ops.deformable_attention import HAS_TRITON
from tests.tiny import TRAINING, tiny_config, training_batch

TO_HOST = ("cpu", "item", "tolist", "numpy", "__bool__", "__int__", "__float__", "__index__")
DYNAMIC = ("aten.nonzero", "aten.masked_select", "aten.unique", "aten._unique", "aten.bincount")


class BlockingCopies(TorchDispatchMode):
    """Records copies between devices that wait until they are done, and custom operators.

    Attributes:
        copies: shape and the two devices of each.
        custom: names of this project's operators.
    """

    def __init__(self) -> None:
        super().__init__()
        self.copies: list[tuple[tuple[int, ...], str, str]] = []
        self.custom: list[str] = []

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = operation(*args, **kwargs)
        if operation is torch.ops.aten._to_copy.default and not kwargs.get("non_blocking"):
            devices = args[0].device.type, result.device.type
            if devices[0] != devices[1]:
                self.copies.append((tuple(result.shape), *devices))
        if operation.namespace == "frozenseg":
            self.custom.append(str(operation))
        return result


class ReadMethods(TorchFunctionMode):
    """Lists the calls of methods that return values to the host."""

    def __init__(self, reads: list[str]) -> None:
        super().__init__()
        self.reads = reads

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(function, "__name__", "") in TO_HOST:
            self.reads.append(function.__name__)
        return function(*args, **(kwargs or {}))


class DynamicShapes(TorchDispatchMode):
    """Lists the operations whose result has a shape that depends on values."""

    def __init__(self, reads: list[str]) -> None:
        super().__init__()
        self.reads = reads

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        indices = args[1] if operation is torch.ops.aten.index.Tensor else ()
        if str(operation).startswith(DYNAMIC) or any(each is not None and each.dtype == torch.bool for each in indices):
            self.reads.append(str(operation))
        return operation(*args, **(kwargs or {}))


@contextmanager
def fake_gpu(architecture: str) -> Iterator[tuple[MaskClassifier, BlockingCopies]]:
    """Yield a model on a fake GPU with the text embeddings computed, and the record of blocking copies."""
    model = build_model(tiny_config(architecture), TRAINING).eval()
    with torch.no_grad():
        text = model.text_embeddings()
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True):
        moved = type(text)(*(each.to("cuda") if isinstance(each, Tensor) else each for each in text))
        model.to("cuda").text_embeddings = lambda settings=None: moved  # type: ignore[method-assign]
        with BlockingCopies() as record:
            yield model, record


@pytest.mark.parametrize("architecture", ["FCCLIP", "FrozenSeg"])
def test_forward_never_waits_for_the_device(architecture: str) -> None:
    with fake_gpu(architecture) as (model, record):
        embedded = model.embed(training_batch())
        logits = model.class_scores(embedded, model.inference_settings)
    assert (embedded.masks.device.type, logits.semantic.device.type) == ("cuda", "cuda")
    assert record.copies == []
    assert set(record.custom) == ({"frozenseg.ms_deform_attn.default"} if HAS_TRITON else set())


def test_the_fake_gpu_notices_waits() -> None:
    with fake_gpu("FCCLIP") as (model, record):
        values = model.pixel_mean.expand(3, 2, 2)
        for wait in (lambda: values.sum().item(), lambda: bool(values.any())):
            with pytest.raises(DataDependentOutputException):
                wait()
        for wait in (values.nonzero, lambda: values[values > 0]):
            with pytest.raises(DynamicOutputShapeException):
                wait()
        values.cpu()
        torch.ones(2).to(values.device, non_blocking=True)
        torch.tensor([1.0, 2.0], device=values.device)
    assert record.copies == [((3, 2, 2), "cuda", "cpu"), ((2,), "cpu", "cuda")]


def test_outputs_wait_a_few_times_for_each_image() -> None:
    torch.manual_seed(0)
    model = build_model(tiny_config("FrozenSeg"), TRAINING).eval()
    reads: list[str] = []
    with torch.no_grad():
        embedded = model.embed(training_batch())
        with ReadMethods(reads), DynamicShapes(reads):
            model.classify(embedded)
    on_the_host = 4  # reads of AxisMatrix, whose matrices are computed on the CPU
    assert 0 < len(reads) <= (10 + on_the_host) * len(embedded.batch), reads
