"""Released read of a buffer laid out for three levels: per image, and across the images of a batch."""

import pytest
import torch

from frozenseg.errors import ConfigError, ShapeError
from frozenseg.modeling.build import build_model
from frozenseg.modeling.ops.ms_deform_attn import MSDeformAttn
from frozenseg.modeling.ops.released_read import ReleasedRead, read_as_released
from tests.tiny import TRAINING, tiny_config

AS_RELEASED = ("MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS", 3)
ACROSS = (*AS_RELEASED, "MODEL.SEM_SEG_HEAD.SAM_READ_ACROSS_IMAGES", True)


@pytest.mark.parametrize(
    ("read", "second_image"),
    [(ReleasedRead.PER_IMAGE, [18, 19, 20, 21, 22, 23]), (ReleasedRead.ACROSS_IMAGES, [6, 7, 8, 9, 10, 11])],
)
def test_the_head_of_the_flat_buffer(read: ReleasedRead, second_image: list[int]) -> None:
    buffer = torch.arange(2 * 3 * 1 * 3 * 2).view(2, 3, 1, 3, 2)  # 2 images, 3 queries, 1 head, built for 3, 2 points
    values = read_as_released(buffer, 1, read)
    assert values.shape == (2, 3, 1, 1, 2)
    assert values[0].flatten().tolist() == [0, 1, 2, 3, 4, 5]
    assert values[1].flatten().tolist() == second_image


def test_another_number_of_levels_is_refused_without_the_released_read() -> None:
    inputs = (torch.rand(1, 4, 8), torch.rand(1, 4, 1, 2), torch.rand(1, 4, 8), [(2, 2)])
    sizes = {"width": 8, "levels": 3, "heads": 2, "points": 2}
    with pytest.raises(ShapeError, match="built for 3 levels and got 1"):
        MSDeformAttn(**sizes)(*inputs)
    one_level = MSDeformAttn(width=8, levels=1, heads=2, points=2, released_read=ReleasedRead.PER_IMAGE)
    with pytest.raises(ShapeError, match="built for 1 levels and got 2"):
        one_level(*inputs[:3], [(2, 1), (2, 1)])
    assert MSDeformAttn(**sizes, released_read=ReleasedRead.PER_IMAGE)(*inputs).shape == (1, 4, 8)


@torch.no_grad()
def sam_maps(options: tuple, embeddings: torch.Tensor) -> torch.Tensor:
    """Return the SAM map (B, d, 8, 8) of a tiny model with non-zero offsets and weights in its SAM branch."""
    torch.manual_seed(0)
    model = build_model(tiny_config("FrozenSeg", *options), TRAINING).eval()
    pixel_decoder = model.sem_seg_head.pixel_decoder
    for name, parameter in pixel_decoder.sam_transformer.named_parameters():
        if "sampling_offsets.weight" in name or "attention_weights.weight" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    clip = model.backbone(torch.zeros(len(embeddings), 3, 64, 64))
    return pixel_decoder(clip, embeddings).sam_map


@pytest.mark.parametrize("options", [(), AS_RELEASED])
def test_images_do_not_see_each_other(options: tuple) -> None:
    embeddings = torch.randn(2, 64, 16, 16, generator=torch.Generator().manual_seed(1))
    together, alone = sam_maps(options, embeddings), sam_maps(options, embeddings[1:])
    assert torch.allclose(together[1], alone[0], atol=1e-5)


def test_across_images_the_second_sees_the_first() -> None:
    embeddings = torch.randn(3, 64, 16, 16, generator=torch.Generator().manual_seed(1))
    together, alone = sam_maps(ACROSS, embeddings), sam_maps(ACROSS, embeddings[1:2])
    assert (together[1] - alone[0]).abs().mean() > 0.05
    assert torch.allclose(sam_maps(ACROSS, embeddings[:1])[0], sam_maps(AS_RELEASED, embeddings[:1])[0], atol=1e-5)
    other_first = sam_maps(ACROSS, torch.stack([embeddings[2], embeddings[1], embeddings[2]]))
    assert (together[1] - other_first[1]).abs().mean() > 0.05  # the same image beside another one


def test_the_read_across_images_needs_the_released_layout() -> None:
    with pytest.raises(ConfigError, match="acts only in the released layout: set SAM_ENCODER_LEVELS to 3"):
        build_model(tiny_config("FrozenSeg", *ACROSS[2:]), TRAINING)
