"""The injectors, the prediction heads and the whole transformer decoder."""

from collections.abc import Iterator
from functools import cache
from typing import cast

import numpy as np
import torch
from torch import Tensor

from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.transformer_decoder.attention import CrossAttention
from frozenseg.modeling.transformer_decoder.feature_injector import inject_features
from frozenseg.modeling.transformer_decoder.masked_decoder import LayerSize, MultiScaleMaskedTransformerDecoder
from frozenseg.modeling.transformer_decoder.query_injector import inject_into_queries
from frozenseg.modeling.types import PixelFeatures, TextEmbeddings
from lab.parity.compare import SUSPICIOUS, Row
from lab.parity.components.component import Component, draws, find, value
from lab.parity.components.layers import text_embeddings_of
from lab.parity.fill import fill
from lab.parity.inputs import randn
from lab.parity.predictions import mask_margin
from lab.parity.tied_decoder import TiedDecoder, predict_queries
from lab.parity.ties import differing_queries

WIDTH = 256


def feature_injector(component: Component) -> Iterator[Row]:
    """Yield rows for feature maps of different and of equal size."""
    block = cast(CrossAttention, released_decoder().transformer_cross_attention_layers_sam["0"])
    text = component.metadata["args"]
    seed, batch = (int(number) for number in find(r"randn\((\d+),\d+,(\d+),", text).groups())
    small, large = value(text, "min_size")[0], value(text, "curr_size")[0]

    def drawn(offset: int, size: tuple[int, int]) -> Tensor:
        sequence = randn(seed + offset, size[0] * size[1], batch, WIDTH)
        return sequence.permute(1, 2, 0).reshape(batch, WIDTH, *size)  # (B, d, H, W)

    for name, offsets, size in (("resampled", (0, 2), large), ("same_size", (4, 5), small)):
        clip_map, clip_position = drawn(offsets[0], size), drawn(offsets[1], size)
        sam_map, sam_position = drawn(1, small), drawn(3, small)
        # image by image, because the golden has other positions for each image
        images = [
            inject_features(
                block,
                clip_map[i : i + 1],
                sam_map[i : i + 1],
                clip_position=clip_position[i : i + 1],
                sam_position=sam_position[i : i + 1],
                working_size=small,
            )
            for i in range(batch)
        ]
        yield component.close(name, torch.cat(images).flatten(2).permute(2, 0, 1))


def prediction_heads(component: Component) -> Iterator[Row]:
    """Yield rows for masks, class logits, attention masks and the output of the query injector."""
    text = component.metadata["args"]
    queries, mask_features, sam_embedding, _ = draws(text)
    decoder, queries = released_decoder(), queries.transpose(0, 1)  # (B, Q, d)
    prediction = predict_queries(decoder, queries, 0.5 * mask_features, _text_embeddings(component))
    yield component.close("masks", prediction.masks)
    yield component.close("class_logits", prediction.logits)
    shape = component.metadata["attn_mask_shape"]  # (B·h, Q, S)
    size = value(text, "attn_mask_target_size")
    blocked = resize(prediction.masks, size).sigmoid() < 0.5
    blocked = blocked.flatten(2)[:, None].expand(-1, decoder.heads, -1, -1).flatten(0, 1)
    golden = np.unpackbits(component.array("attn_mask_packed"), count=int(np.prod(shape))).reshape(shape)
    yield component.compare.equal(f"{component.name}/attn_mask", int((blocked.numpy() != golden).sum()))
    added = inject_into_queries(torch.zeros_like(queries), prediction.masks, sam_embedding, decoder._mask_pooling_proj)
    yield component.close("query_injection", added.transpose(0, 1))


def transformer_decoder(component: Component) -> Iterator[Row]:
    """Yield rows for all predictions in evaluation and for the last one in training, with resolved ties."""
    heads = component.components["prediction_heads"]["args"]
    sam_embedding, text_embeddings = draws(heads)[2], _text_embeddings(component)
    decoder = released_decoder()
    pixels = _pixels(component, 320, component.metadata["outputs"]["pred_masks"]["shape"], component.metadata["args"])
    goldens = [torch.from_numpy(logits) for logits in (*component.array("aux_logits"), component.array("pred_logits"))]
    prediction = decoder.predict_layers(pixels, sam_embedding, text_embeddings)
    tied = TiedDecoder(
        decoder,
        pixels=pixels,
        sam_embedding=sam_embedding,
        text_embeddings=text_embeddings,
        goldens=goldens,
        tolerance=SUSPICIOUS * float(goldens[-1].std()),
        margin=mask_margin(prediction.final.masks),
    )
    ties = tied.resolve_ties()
    *earlier, last = tied.decode()
    yield component.close("aux_logits", torch.stack([prediction.logits for prediction in earlier]), ties=sum(ties[:-1]))
    yield component.close("aux_masks", torch.stack([prediction.masks for prediction in earlier]))
    yield component.close("pred_logits", last.logits, ties=ties[-1])
    yield component.close("pred_masks", last.masks)
    yield from _training_prediction(component, decoder, sam_embedding, text_embeddings)


def _training_prediction(
    component: Component, decoder: MultiScaleMaskedTransformerDecoder, sam_embedding: Tensor, text: TextEmbeddings
) -> Iterator[Row]:
    """Yield rows for the last prediction in training, of which alone there is a golden, with resolved ties."""
    shape = component.metadata["outputs"]["train_pred_masks"]["shape"]
    pixels = _pixels(component, 330, shape, component.metadata["args_train"])
    sam_embedding = sam_embedding[: len(pixels.mask_features)]
    golden, flips = torch.from_numpy(component.array("train_pred_logits")), 0
    tolerance = SUSPICIOUS * float(golden.std())
    decoder.train()
    try:
        final = decoder(pixels, sam_embedding, text).final
        if differing_queries(final.logits, golden, tolerance):
            tied = TiedDecoder(
                decoder,
                pixels=pixels,
                sam_embedding=sam_embedding,
                text_embeddings=text,
                goldens=[golden],
                tolerance=tolerance,
                margin=mask_margin(final.masks),
            )
            flips = tied.resolve_by_last()
            final = tied.decode()[-1]
    finally:
        decoder.eval()
    yield component.close("train_pred_logits", final.logits, ties=flips)
    yield component.close("train_pred_masks", final.masks)


@cache
def released_decoder() -> MultiScaleMaskedTransformerDecoder:
    """Return the decoder of the large model with deterministic weights."""
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


def _text_embeddings(component: Component) -> TextEmbeddings:
    text = component.components["prediction_heads"]["args"]
    return text_embeddings_of(draws(text)[3], value(text, "num_templates"))


def _pixels(component: Component, offset: int, masks: list[int], text: str) -> PixelFeatures:
    """Return synthetic pixel features: three scales from seeds, mask features and SAM map from the text."""
    batch, _, height, width = masks
    mask_features, sam_map = draws(text)
    seed = component.seed_base + offset
    scales = tuple(
        randn(seed + level, batch, WIDTH, height * 2**level // 8, width * 2**level // 8) for level in range(3)
    )
    return PixelFeatures(0.5 * mask_features, scales, sam_map)
