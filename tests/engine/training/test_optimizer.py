"""Parameter groups: learning rate and weight decay of each kind of parameter."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from frozenseg.config import CfgNode
from frozenseg.engine.training.optimizer import build_gradient_clip, build_optimizer, gradient_norm, parameter_groups
from frozenseg.errors import ConfigError


class Parts(nn.Module):
    """One parameter of each kind that the rules distinguish."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.norm = nn.LayerNorm(2)
        self.group_norm = nn.GroupNorm(1, 2)
        self.batch_norm = nn.BatchNorm2d(2)
        self.query = nn.Embedding(3, 2)
        self.logit_scale = nn.Parameter(torch.ones(()))
        self.absolute_pos_embed = nn.Parameter(torch.ones(2))
        self.backbone = nn.Linear(2, 2)
        self.shared = self.linear
        self.frozen = nn.Linear(2, 2).requires_grad_(False)


def test_rules(cfg: CfgNode) -> None:
    cfg.merge_from_list(["SOLVER.WEIGHT_DECAY_NORM", 0.001, "SOLVER.WEIGHT_DECAY_EMBED", 0.002])
    model = Parts()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    settings = {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in parameter_groups(cfg, model)
        for parameter in group["params"]
    }
    assert settings == {
        "logit_scale": (1e-4, 0.05),  # bare parameters and biases decay
        "absolute_pos_embed": (1e-4, 0.0),
        "linear.weight": (1e-4, 0.05),
        "linear.bias": (1e-4, 0.05),
        "norm.weight": (1e-4, 0.001),
        "norm.bias": (1e-4, 0.001),
        "group_norm.weight": (1e-4, 0.001),
        "group_norm.bias": (1e-4, 0.001),
        "batch_norm.weight": (1e-4, 0.001),
        "batch_norm.bias": (1e-4, 0.001),
        "query.weight": (1e-4, 0.002),
        "backbone.weight": (pytest.approx(1e-5), 0.05),
        "backbone.bias": (pytest.approx(1e-5), 0.05),
    }


def test_groups_remember_their_initial_rate(cfg: CfgNode) -> None:
    groups = build_optimizer(cfg, Parts()).param_groups
    assert all(group["initial_lr"] == group["lr"] for group in groups)
    assert len(groups) == 3  # equal settings share a group: decay, no decay, backbone


def test_adamw_is_the_published_one(cfg: CfgNode) -> None:
    optimizer = build_optimizer(cfg, nn.Linear(1, 1))
    assert isinstance(optimizer, torch.optim.AdamW)
    assert optimizer.defaults["betas"] == (0.9, 0.999)
    assert optimizer.defaults["eps"] == 1e-8


@pytest.mark.parametrize(("device", "fused"), [("cpu", True), ("cuda", True), ("meta", None)])
def test_adamw_is_fused_where_a_fused_kernel_exists(device: str, fused: bool | None, cfg: CfgNode) -> None:
    with FakeTensorMode():
        assert build_optimizer(cfg, nn.Linear(1, 1, device=device)).defaults["fused"] is fused


def test_the_fused_kernel_takes_the_steps_of_the_readable_one(cfg: CfgNode) -> None:
    weights = []
    for fused in (True, False):
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        optimizer = build_optimizer(cfg, model)
        optimizer.defaults["fused"] = optimizer.param_groups[0]["fused"] = fused
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(4, 3)).square().sum().backward()
            optimizer.step()
        weights.append(model.weight.detach())
    torch.testing.assert_close(*weights)


def test_sgd(cfg: CfgNode) -> None:
    cfg.merge_from_list(["SOLVER.OPTIMIZER", "SGD", "SOLVER.MOMENTUM", 0.7])
    optimizer = build_optimizer(cfg, nn.Linear(1, 1))
    assert isinstance(optimizer, torch.optim.SGD)
    assert optimizer.param_groups[0]["momentum"] == 0.7


def test_mistakes(cfg: CfgNode) -> None:
    with pytest.raises(ConfigError, match="Linear has no parameter that requires a gradient"):
        build_optimizer(cfg, nn.Linear(1, 1).requires_grad_(False))
    with pytest.raises(ConfigError, match="SOLVER.OPTIMIZER is 'ADAM', expected .* Did you mean 'ADAMW'"):
        cfg.SOLVER.OPTIMIZER = "ADAM"
    with pytest.raises(ConfigError, match="SOLVER.CLIP_GRADIENTS.CLIP_TYPE is 'value', expected 'full_model'"):
        cfg.SOLVER.CLIP_GRADIENTS.CLIP_TYPE = "value"


def test_clipping_is_over_all_parameters_together(cfg: CfgNode) -> None:
    def parameters() -> list[nn.Parameter]:
        first, second, unused = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
        first.grad, second.grad = torch.tensor([3.0]), torch.tensor([4.0])
        return [first, second, unused]

    cfg.SOLVER.CLIP_GRADIENTS.CLIP_VALUE = 1.0
    clipped = parameters()
    assert build_gradient_clip(cfg)(clipped).item() == pytest.approx(5.0)
    assert clipped[0].grad.item() == pytest.approx(0.6, abs=1e-5)
    assert clipped[1].grad.item() == pytest.approx(0.8, abs=1e-5)

    cfg.SOLVER.CLIP_GRADIENTS.ENABLED = False
    untouched = parameters()
    assert build_gradient_clip(cfg)(untouched).item() == pytest.approx(5.0)
    assert untouched[0].grad.item() == 3.0
    assert gradient_norm(untouched).item() == pytest.approx(5.0)
