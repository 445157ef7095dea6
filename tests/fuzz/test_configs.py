"""Config files and KEY VALUE pairs: refused when they are read, or the model runs with them."""

from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from frozenseg.config import get_cfg, load_config
from frozenseg.config.yaml_files import flatten
from frozenseg.data.batch_plan import BatchPlan
from frozenseg.data.mapper import EvalMapper, build_train_mapper
from frozenseg.modeling.build import build_model
from tests.fuzz.fuzz_format import fuzz
from tests.fuzz.mutations import damaged, odd_values
from tests.tiny import NARROW, TEST, TRAINING, training_batch

KEYS = dict(flatten(get_cfg(), "defaults"))
SMALL = st.one_of(st.integers(-2, 9), st.floats(-1, 3, allow_nan=False), st.sampled_from((0, 1, -1, 0.0, 0.5)))
YAML_TEXTS = ("SEED: 1", "_BASE_: x.yaml", "MODEL: 1", "MODEL:\n  MASK_FORMER: []", "- 1", "a: &a [*a]",
         "SEED: !!python/name:os.system",
              "SEED: 1\nSEED: 2", "SEED: 2001-01-01", "{", "\t", "? [a]\n: 1", "null: 1", "1: 2",
         "MODEL.WEIGHTS: x", "SEED: 1_000",
              "SEED: 0x1F", "SEED: .inf", "a: &x {b: *x}", "<<: {SEED: 1}", "SEED: 1:30")  # fmt: skip


@st.composite
def config_cases(draw: DrawFn) -> dict[str, Any]:
    """Draw the text of a config file and pairs of a command line."""
    kind = draw(st.sampled_from(("pairs", "pairs", "value", "text", "damaged")))
    if kind in ("text", "damaged"):
        text = yaml.safe_dump({"SEED": 1, "MODEL": {"MASK_FORMER": {"NHEADS": 8}}, "INPUT.IMAGE_SIZE": 64}).encode()
        data = draw(damaged(text)) if kind == "damaged" else draw(st.sampled_from(YAML_TEXTS)).encode()
        return {"file": data, "pairs": []}
    name = draw(st.sampled_from(sorted(KEYS)))
    value = draw(values_like(KEYS[name]))
    if kind == "value":
        return {"file": yaml.safe_dump({name: value}).encode(), "pairs": []}
    pairs = [name, value if draw(st.booleans()) else str(value)]
    return {"file": b"SEED: 1", "pairs": draw(st.sampled_from((pairs, pairs, pairs, pairs[:1], pairs[::-1])))}


def values_like(default: Any) -> st.SearchStrategy[Any]:
    """Return a strategy of values of a key: of its type and small, or of any type."""
    odd = odd_values().filter(lambda value: not (isinstance(value, int) and abs(value) > 2**10))
    if isinstance(default, bool):
        return st.one_of(st.booleans(), odd)
    if isinstance(default, list):
        return st.one_of(
            st.lists(SMALL, max_size=4), st.lists(st.just(default[0]) if default else st.text(), max_size=3), odd
        )
    return st.one_of(SMALL, odd) if isinstance(default, (int, float)) else st.one_of(st.text(max_size=6), odd)


@cache
def batch() -> list[dict[str, Any]]:
    """Return two training images of 64×64 pixels."""
    return training_batch()


@fuzz("configs", config_cases(), examples=40)
def test_configs(case: dict[str, Any], folder: Path) -> None:
    path = folder / "config.yaml"
    path.write_bytes(case["file"])
    load_config(path, case["pairs"])
    base = folder / "narrow.yaml"
    base.write_text(yaml.safe_dump(dict(zip(NARROW[::2], NARROW[1::2], strict=True))), encoding="utf-8")
    both = folder / "both.yaml"
    bases = [str(Path("configs/toyworld/fcclip_tiny.yaml").absolute()), str(base), str(path)]
    both.write_text(yaml.safe_dump({"_BASE_": bases}), encoding="utf-8")
    cfg = load_config(both, case["pairs"])
    BatchPlan.from_config(cfg)
    EvalMapper.from_config(cfg)
    build_train_mapper(cfg)
    torch.manual_seed(0)
    model = build_model(cfg, TRAINING)
    losses = model.train()([dict(sample) for sample in batch()])
    assert all(bool(torch.isfinite(loss)) for loss in losses.values()), losses
    with torch.no_grad():
        [output] = model.eval()(
            [{key: batch()[0][key] for key in ("image", "height", "width")}], settings=model.settings_for(TEST)
        )
    assert output
