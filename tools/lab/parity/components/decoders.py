"""The injectors, the prediction heads and the whole transformer decoder."""

import re
from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from torch import Tensor

from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.transformer_decoder.feature_injector import inject_features
from frozenseg.modeling.transformer_decoder.masked_decoder import LayerSize, MultiScaleMaskedTransformerDecoder
from frozenseg.modeling.transformer_decoder.query_injector import inject_into_queries
from frozenseg.modeling.types import PixelFeatures, TextEmbeddings
from lab.parity.compare import SUSPICIOUS, Row
from lab.parity.components.layers import words_of
from lab.parity.components.part import Part, draws, value
from lab.parity.fill import fill
from lab.parity.inputs import randn
from lab.parity.predictions import mask_margin
from lab.parity.tied_decoder import TiedDecoder

WIDTH = 256


def feature_injector(part: Part) -> Iterator[Row]:
    """Yield rows for maps of different and of the same size."""
    block = released_decoder().transformer_cross_attention_layers_sam["0"]
    text = part.about["args"]
    seed, batch = (int(number) for number in re.search(r"randn\((\d+),\d+,(\d+),", text).groups())
    small, large = value(text, "min_size")[0], value(text, "curr_size")[0]

    def drawn(offset: int, size: tuple[int, int]) -> Tensor:
        sequence = randn(seed + offset, size[0] * size[1], batch, WIDTH)
        return sequence.permute(1, 2, 0).unflatten(2, size)  # (B, d, H, W)

    for name, offsets, size in (("resampled", (0, 2), large), ("same_size", (4, 5), small)):
        injected = inject_features(
            block,
            drawn(offsets[0], size),
            drawn(1, small),
            clip_position=drawn(offsets[1], size),
            sam_position=drawn(3, small),
            working_size=small,
        )
        yield part.close(name, injected.flatten(2).permute(2, 0, 1))


def prediction_heads(part: Part) -> Iterator[Row]:
    """Yield rows for masks, classes, attention masks and what the query injector adds."""
    text = part.about["args"]
    queries, mask_features, sam_embedding, _ = draws(text)
    decoder, queries = released_decoder(), queries.transpose(0, 1)  # (B, Q, d)
    prediction = decoder.predict(queries, 0.5 * mask_features, _words(part))
    yield part.close("masks", prediction.masks)
    yield part.close("class_logits", prediction.logits)
    shape = part.about["attn_mask_shape"]  # (B·h, Q, S)
    size = value(text, "attn_mask_target_size")
    blocked = resize(prediction.masks, size).sigmoid() < 0.5
    blocked = blocked.flatten(2)[:, None].expand(-1, decoder.heads, -1, -1).flatten(0, 1)
    golden = np.unpackbits(part.array("attn_mask_packed"), count=int(np.prod(shape))).reshape(shape)
    yield part.compare.equal(f"{part.name}/attn_mask", int((blocked.numpy() != golden).sum()))
    added = inject_into_queries(torch.zeros_like(queries), prediction.masks, sam_embedding, decoder._mask_pooling_proj)
    yield part.close("query_injection", added.transpose(0, 1))


def transformer_decoder(part: Part) -> Iterator[Row]:
    """Yield rows for all predictions at test, ties taken the reference's way, and for the last one in training."""
    heads = part.parts["prediction_heads"]["args"]
    sam_embedding, words = draws(heads)[2], _words(part)
    decoder = released_decoder()
    pixels = _pixels(part, 320, part.about["outputs"]["pred_masks"]["shape"], part.about["args"])
    goldens = [torch.from_numpy(logits) for logits in (*part.array("aux_logits"), part.array("pred_logits"))]
    own = decoder(pixels, sam_embedding, words)
    tied = TiedDecoder(
        decoder,
        pixels=pixels,
        sam_embedding=sam_embedding,
        words=words,
        goldens=goldens,
        tolerance=SUSPICIOUS * float(goldens[-1].std()),
        margin=mask_margin(own.final.masks),
    )
    ties = tied.settle()
    *earlier, last = tied.decode()
    yield part.close("aux_logits", torch.stack([prediction.logits for prediction in earlier]), ties=sum(ties[:-1]))
    yield part.close("aux_masks", torch.stack([prediction.masks for prediction in earlier]))
    yield part.close("pred_logits", last.logits, ties=ties[-1])
    yield part.close("pred_masks", last.masks)
    pixels = _pixels(part, 330, part.about["outputs"]["train_pred_masks"]["shape"], part.about["args_train"])
    try:
        final = decoder.train()(pixels, sam_embedding[: len(pixels.mask_features)], words).final
    finally:
        decoder.eval()
    yield part.close("train_pred_logits", final.logits)
    yield part.close("train_pred_masks", final.masks)


@cache
def released_decoder() -> MultiScaleMaskedTransformerDecoder:
    """Return the decoder of the large model, filled."""
    decoder = MultiScaleMaskedTransformerDecoder(
        size=LayerSize(WIDTH, 8, 2048),
        embed_dim=768,
        queries=250,
        layers=9,
        feature_injection_scale=0,
        query_injection_scale=2,
    )
    fill(decoder, "sem_seg_head.predictor.")
    return decoder.eval()


def _words(part: Part) -> TextEmbeddings:
    text = part.parts["prediction_heads"]["args"]
    return words_of(draws(text)[3], value(text, "num_templates"))


def _pixels(part: Part, offset: int, masks: list[int], text: str) -> PixelFeatures:
    """Return the pixel decoder's output: scales from three seeds, mask features and SAM's map from the text."""
    batch, _, height, width = masks
    mask_features, sam_map = draws(text)
    seed = part.seed_base + offset
    scales = tuple(
        randn(seed + level, batch, WIDTH, height * 2**level // 8, width * 2**level // 8) for level in range(3)
    )
    return PixelFeatures(0.5 * mask_features, scales, sam_map)
