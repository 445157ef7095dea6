"""Position embedding, deformable attention, pixel decoder, pooling and class logits."""

import ast
import re
from collections.abc import Iterator

import torch
import torch.nn.functional as F

from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.layers.mask_pooling import mask_pooling
from frozenseg.modeling.layers.position_encoding import sine_position
from frozenseg.modeling.ops.ms_deform_attn import MSDeformAttn
from frozenseg.modeling.ops.released_read import ReleasedRead
from frozenseg.modeling.pixel_decoder.deformable_encoder import DeformableEncoder
from frozenseg.modeling.pixel_decoder.deformable_fpn import MSDeformAttnPixelDecoder
from frozenseg.modeling.types import ClipFeatures, TextEmbeddings
from lab.parity.compare import Row
from lab.parity.components.part import Part, draws, named_draws, value
from lab.parity.fill import fill


def sine_pos(part: Part) -> Iterator[Row]:
    """Yield rows for the normalised embedding of whole maps, the one that the model has."""
    for name, text in part.cases().items():
        if "normalize=True" in text and "no mask" in text:
            batch, _, height, width = ast.literal_eval(re.search(r"\[[\d,]+\]", text)[0])
            position = sine_position(torch.zeros(batch, 2 * value(text, "num_pos_feats"), height, width))
            yield part.close(name, position)
        else:
            part.not_in_the_model.add(name)


def msdeformattn(part: Part) -> Iterator[Row]:
    """Yield rows for the attention as it is and as the released operator reads it; the model pads no maps."""
    for name, text in part.cases().items():
        query, flat = draws(text)
        points = draws(text, "rand")[0]
        if "padding_mask=None" not in text or points.shape[-1] != 2:
            part.not_in_the_model.add(name)
            continue
        attention = MSDeformAttn(
            width=query.shape[-1],
            levels=value(text, "n_levels"),
            heads=value(text, "n_heads"),
            points=value(text, "n_points"),
            released_read=ReleasedRead.ACROSS_IMAGES,
        )
        fill(attention, "msda.")
        yield part.close(name, attention(query, points, flat, value(text, "spatial_shapes")))


def pixel_decoder(part: Part) -> Iterator[Row]:
    """Yield rows for every output, SAM's branch read across images and image by image."""
    for name, text in part.cases().items():
        *maps, sam_embedding = named_draws(text).values()
        clip = ClipFeatures(*maps, dense=maps[-1])
        for output, read in (("sam_out", ReleasedRead.ACROSS_IMAGES), ("sam_out_per_image", ReleasedRead.PER_IMAGE)):
            pixels = _released_pixel_decoder(tuple(m.shape[1] for m in maps), read)(clip, sam_embedding)
            if f"{name}/{output}" in part.arrays:
                yield part.close(f"{name}/{output}", pixels.sam_map)
        yield part.close(f"{name}/mask_features", pixels.mask_features)
        part.not_in_the_model.add(f"{name}/sam_out_level0")  # a reading that no release has
        for level, scale in enumerate(pixels.scales):
            yield part.close(f"{name}/multi_scale{level}", scale)


def pooling(part: Part) -> Iterator[Row]:
    """Yield rows for the mean under masks."""
    features, masks = draws(part.about["args"])
    masks[0, 3] = -1  # an empty mask
    yield part.close("resized", mask_pooling(features, masks))
    yield part.close("same_size", mask_pooling(features, masks[..., ::2, ::2]))


def classification_logits(part: Part) -> Iterator[Row]:
    """Yield a row for the class logits, void last."""
    text = part.about["args"]
    embeddings, rows = draws(text)
    words = words_of(rows, value(text, "num_templates"))
    yield part.close("out", class_logits(embeddings, words, torch.tensor(value(text, "logit_scale"))))


def words_of(rows: torch.Tensor, synonyms: list[int]) -> TextEmbeddings:
    """Return a text classifier.

    Args:
        rows: (N + 1, E), not normalised, void last.
        synonyms: of each class.
    """
    class_index = [index for index, count in enumerate([*synonyms, 1]) for _ in range(count)]
    return TextEmbeddings(F.normalize(rows, dim=-1), torch.tensor(class_index), len(synonyms) + 1)


def _released_pixel_decoder(channels: tuple[int, ...], read: ReleasedRead) -> MSDeformAttnPixelDecoder:
    sizes = {"width": 256, "levels": 3, "layers": 6, "heads": 8, "points": 4, "hidden": 1024}
    decoder = MSDeformAttnPixelDecoder(
        channels=channels,
        width=256,
        mask_width=256,
        encoder=DeformableEncoder(**sizes),
        sam_encoder=DeformableEncoder(**sizes, released_read=read),
    )
    fill(decoder, "sem_seg_head.pixel_decoder.")
    return decoder.eval()
