"""Data parallelism: only gradients of trained parameters are exchanged, and only in the last part of a batch."""

import socket
from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from torch import nn

from frozenseg import distributed
from frozenseg.engine.training.data_parallel import data_parallel, without_gradient_sync
from frozenseg.modeling.build import build_model
from tests.tiny import TRAINING, tiny_config, training_batch

CPU = torch.device("cpu")


@pytest.fixture
def _group(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A group of this process alone that reports a world size of two."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=0, world_size=1)
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    yield
    dist.destroy_process_group()


def test_a_single_process_is_not_wrapped() -> None:
    model = nn.Linear(1, 1)
    assert data_parallel(model, CPU) is model
    with without_gradient_sync(model):
        model(torch.ones(1, 1)).sum().backward()
    assert model.weight.grad is not None


@pytest.mark.usefixtures("_group")
@pytest.mark.filterwarnings("ignore:Grad strides do not match:UserWarning")  # about the speed of 1x1 convolutions
def test_frozen_parameters_are_in_no_bucket_and_buffers_are_not_synchronized() -> None:
    model = build_model(tiny_config(), TRAINING).train()
    wrapped = data_parallel(model, CPU)
    exchanged: list[torch.Tensor] = []

    def remember(_: None, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
        exchanged.extend(bucket.parameters())
        done = torch.futures.Future()
        done.set_result(bucket.buffer())
        return done

    wrapped.register_comm_hook(None, remember)
    with without_gradient_sync(wrapped):
        sum(wrapped(training_batch()).values()).backward()
    assert exchanged == []
    sum(wrapped(training_batch()).values()).backward()
    trained = {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    assert {id(parameter) for parameter in exchanged} == trained
    assert not wrapped.will_sync_module_buffers()
    assert not wrapped.find_unused_parameters
