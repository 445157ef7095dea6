"""Formulas that no module of ours takes, against what the reference computed; skipped where its goldens are not."""

import numpy as np
import pytest
import torch

from frozenseg.modeling.ops.ms_deform_attn import MSDeformAttn
from tests.parity.formulas import pixel_decoder, read_out
from tests.parity.formulas.torch_side import arrays, single_thread, tensor
from tests.parity.test_components import PARITY, agree, fill, module, randn

pytestmark = pytest.mark.skipif(not PARITY.is_dir(), reason="the goldens in ../shared/parity are not here")
SEEN = np.array([1, 1, 0, 1, 0, 0, 1, 0, 0], dtype=bool)
one_thread = pytest.fixture(autouse=True)(single_thread)


def wide(values: torch.Tensor) -> np.ndarray:
    return values.double().numpy()


def test_the_released_read_over_a_whole_batch() -> None:
    weights = arrays(fill(MSDeformAttn(width=256, levels=3, heads=8, points=4), "msda."))
    output = pixel_decoder.deformable_attention(
        wide(randn(1040, 2, 120, 256)),
        wide(module("recipe").rand(1042, 2, 120, 1, 2)),
        wide(randn(1041, 2, 120, 256)),
        [(10, 12)],
        weights,
        pixel_decoder.Deformable(heads=8, points=4),
        read="batch",
    )
    agree("msdeformattn/one_of_three_levels_b2", tensor(output))


@pytest.mark.parametrize(
    ("case", "share", "confidence", "count"),
    [("alpha0.2", 0.2, 5.0, 30), ("alpha0.5", 0.5, 5.0, 30), ("none_kept", 0.5, 0.05, 30), ("no_masks", 0.5, 5.0, 0)],
)
def test_mask_proposals(case: str, share: float, confidence: float, count: int) -> None:
    recipe = module("recipe")
    blobs = recipe.make_blob_masks(1400, 250, 60, 80, cell=14)
    scores = read_out.semantic(
        wide(4 * randn(1402, 250, 10)), wide(torch.where(blobs, 2.0, -6.0) + randn(1401, 250, 60, 80))
    )
    masks = torch.where(recipe.make_blob_masks(1420, 30, 60, 80), 3, -3) + 0.5 * randn(1421, 30, 60, 80)
    logits = wide(confidence * randn(1422, 1, 30, 10)[0])
    mixed = read_out.with_mask_proposals(scores, logits[:count], wide(masks)[:count], SEEN, share)
    agree(f"inference/geo_with_sam_{case}", tensor(mixed))
