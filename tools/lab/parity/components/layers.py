"""Position embedding, deformable attention, pixel decoder, pooling and class logits."""

import ast
from collections.abc import Iterator
from functools import partial

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
from lab.parity.components.component import Component, draws, find, named_draws, value
from lab.parity.fill import fill


def sine_pos(component: Component) -> Iterator[Row]:
    """Yield rows for the normalised position embedding without padding, the only variant in the model."""
    for name, text in component.cases().items():
        if "normalize=True" in text and "no mask" in text:
            batch, _, height, width = ast.literal_eval(find(r"\[[\d,]+\]", text)[0])
            position = sine_position(torch.zeros(batch, 2 * value(text, "num_pos_feats"), height, width))
            yield component.close(name, position)
        else:
            component.skipped.add(name)


def msdeformattn(component: Component) -> Iterator[Row]:
    """Yield rows for deformable attention, also with the released read; padded maps are skipped."""
    for name, text in component.cases().items():
        query, flat = draws(text)
        points = draws(text, "rand")[0]
        if "padding_mask=None" not in text or points.shape[-1] != 2:
            component.skipped.add(name)
            continue
        attention = MSDeformAttn(
            width=query.shape[-1],
            levels=value(text, "n_levels"),
            heads=value(text, "n_heads"),
            points=value(text, "n_points"),
            released_read=ReleasedRead.ACROSS_IMAGES,
        )
        fill(attention, "msda.")
        yield component.close(name, attention(query, points, flat, value(text, "spatial_shapes")))


def pixel_decoder(component: Component) -> Iterator[Row]:
    """Yield rows for every output, with the SAM branch read across images and per image."""
    for name, text in component.cases().items():
        *maps, sam_embedding = named_draws(text).values()
        clip = ClipFeatures._make([*maps, maps[-1]])  # dense is res5 here
        channels = (clip.res2.shape[1], clip.res3.shape[1], clip.res4.shape[1], clip.res5.shape[1])
        for output, read in (("sam_out", ReleasedRead.ACROSS_IMAGES), ("sam_out_per_image", ReleasedRead.PER_IMAGE)):
            pixels = _released_pixel_decoder(channels, read)(clip, sam_embedding)
            if f"{name}/{output}" in component.arrays:
                yield component.close(f"{name}/{output}", pixels.sam_map)
        yield component.close(f"{name}/mask_features", pixels.mask_features)
        component.skipped.add(f"{name}/sam_out_level0")  # a variant that no release has
        for level, scale in enumerate(pixels.scales):
            yield component.close(f"{name}/multi_scale{level}", scale)


def pooling(component: Component) -> Iterator[Row]:
    """Yield rows for the mean of features under masks."""
    features, masks = draws(component.metadata["args"])
    masks[0, 3] = -1  # an empty mask
    yield component.close("resized", mask_pooling(features, masks))
    yield component.close("same_size", mask_pooling(features, masks[..., ::2, ::2]))


def classification_logits(component: Component) -> Iterator[Row]:
    """Yield a row for the class logits, void last."""
    text = component.metadata["args"]
    embeddings, names = draws(text)
    text_embeddings = text_embeddings_of(names, value(text, "num_templates"))
    yield component.close("out", class_logits(embeddings, text_embeddings, torch.tensor(value(text, "logit_scale"))))


def text_embeddings_of(embeddings: torch.Tensor, synonyms: list[int]) -> TextEmbeddings:
    """Return text embeddings for a vocabulary.

    Args:
        embeddings: (N + 1, E) of all names and of void, not normalised.
        synonyms: number of names of each class.
    """
    class_index = [index for index, count in enumerate([*synonyms, 1]) for _ in range(count)]
    return TextEmbeddings(F.normalize(embeddings, dim=-1), torch.tensor(class_index), len(synonyms) + 1)


def _released_pixel_decoder(channels: tuple[int, int, int, int], read: ReleasedRead) -> MSDeformAttnPixelDecoder:
    encoder = partial(DeformableEncoder, width=256, levels=3, layers=6, heads=8, points=4, hidden=1024)
    decoder = MSDeformAttnPixelDecoder(
        channels=channels,
        width=256,
        mask_width=256,
        encoder=encoder(),
        sam_encoder=encoder(released_read=read),
    )
    fill(decoder, "sem_seg_head.pixel_decoder.")
    return decoder.eval()
