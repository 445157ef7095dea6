"""Transformer decoder that resolves ties: it runs layer by layer and follows the reference's class logits.

Letters: B images, Q queries, C classes, d width.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from operator import itemgetter
from typing import NamedTuple

import torch
from torch import Tensor

from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.layers.mask_pooling import POOLING_EPSILON
from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.transformer_decoder.attention import visible_pixels
from frozenseg.modeling.transformer_decoder.masked_decoder import SCALES, MultiScaleMaskedTransformerDecoder
from frozenseg.modeling.transformer_decoder.query_injector import inject_into_queries
from frozenseg.modeling.types import PixelFeatures, Prediction, TextEmbeddings
from lab.parity.ties import (
    EXPLAINED,
    MAX_TIED_PIXELS,
    FlippedQuery,
    QueryIndex,
    differing_queries,
    flip,
    flip_pooling_ties,
    largest_difference,
    subsets,
    tied_pixels,
)

MAX_TRIED = 16  # tied pixels of all queries that are tried if only the last prediction is known
MAX_PAIRED = 4  # tied pixels per query that are flipped in pairs; each attempt runs a whole layer
ATTEND, POOL = "attend", "pool"  # effect of a pixel: on masked attention, or on pooling of the SAM embedding


class Pixel(NamedTuple):
    """A tied pixel."""

    use: str  # ATTEND or POOL
    image: int
    query: int
    position: int  # index in the flattened map


@dataclass
class TieDecisions:
    """Resolved ties of one prediction.

    Attributes:
        flipped: flipped pixels of the masks that the layer before the prediction uses.
        pooled: masks (h, w) with flips, under which the class embedding of a query is pooled.
        ties: number of flipped pixels.
    """

    flipped: list[Pixel] = field(default_factory=list)
    pooled: dict[QueryIndex, Tensor] = field(default_factory=dict)
    ties: int = 0


class TiedDecoder:
    """Runs a decoder and resolves its ties by the class logits of the reference.

    Args:
        decoder: our decoder.
        pixels: output of the pixel decoder.
        sam_embedding: SAM embedding; None without SAM.
        text_embeddings: of the vocabulary.
        goldens: class logits (B, Q, C + 1) of the reference for each prediction, or of the last one alone.
        tolerance: ties are looked for in queries with larger differences of class logits.
        margin: mask logits with smaller magnitude are ties.
    """

    def __init__(
        self,
        decoder: MultiScaleMaskedTransformerDecoder,
        *,
        pixels: PixelFeatures,
        sam_embedding: Tensor | None,
        text_embeddings: TextEmbeddings,
        goldens: Sequence[Tensor],
        tolerance: float,
        margin: float,
    ) -> None:
        self.decoder, self.pixels = decoder, pixels
        self.sam_embedding, self.text_embeddings = sam_embedding, text_embeddings
        self.goldens, self.tolerance, self.margin = goldens, tolerance, margin
        self.levels = decoder.levels(pixels)
        self.decisions = [TieDecisions() for _ in range(len(decoder.transformer_ffn_layers) + 1)]

    @torch.no_grad()
    def resolve_ties(self) -> list[int]:
        """Resolve the ties of all predictions, one after the other; returns the number of flipped pixels of each."""
        queries = self._initial_queries()
        previous = self._resolve_pooling_ties(0, queries)
        for i in range(len(self.decoder.transformer_ffn_layers)):
            decisions = self.decisions[i + 1]
            decisions.flipped = self._flipped_pixels(i, queries, previous)
            decisions.ties = len(decisions.flipped)
            queries = self._layer(i, queries, previous, decisions.flipped)
            previous = self._resolve_pooling_ties(i + 1, queries)
        return [decisions.ties for decisions in self.decisions]

    @torch.no_grad()
    def resolve_by_last(self) -> int:
        """Resolve ties by the last golden alone, if there is none for earlier layers; returns the number of flips.

        A tie of one query changes all others through self-attention. So the pixels of all queries and layers are tried,
        those nearest to the threshold first, and a flip is kept if it explains most of the whole difference.
        """
        flips, predictions = 0, self.decode()
        while differing_queries(predictions[-1].logits, self.goldens[-1], self.tolerance):
            flipped = self._flip_nearest(predictions)
            if flipped is None:
                break
            flips, predictions = flips + 1, flipped
        return flips

    def decode(self) -> list[Prediction]:
        """Return the predictions from the initial queries and after every layer, with ties resolved."""
        queries = self._initial_queries()
        predictions = [self._predict(0, queries)]
        for i in range(len(self.decoder.transformer_ffn_layers)):
            queries = self._layer(i, queries, predictions[-1], self.decisions[i + 1].flipped)
            predictions.append(self._predict(i + 1, queries))
        return predictions

    def _flip_nearest(self, predictions: Sequence[Prediction]) -> list[Prediction] | None:
        """Flip the nearest tied pixel that explains the difference of the last prediction to its golden.

        Returns:
            The predictions with it, or None if no tied pixel explains the difference.
        """
        golden = self.goldens[-1]
        allowed = EXPLAINED * float((predictions[-1].logits - golden).norm())
        tied = [
            (distance, i, pixel)
            for i, previous in enumerate(predictions[:-1])
            for query_index in product(range(golden.shape[0]), range(golden.shape[1]))
            for distance, pixel in self._tied_pixels(i, previous, query_index)
        ]
        for _, i, pixel in sorted(tied)[:MAX_TRIED]:
            decisions = self.decisions[i + 1]
            decisions.flipped.append(pixel)
            flipped = self.decode()
            if float((flipped[-1].logits - golden).norm()) <= allowed:
                return flipped
            decisions.flipped.pop()
        return None

    def _initial_queries(self) -> Tensor:
        return self.decoder.query_feat.weight.expand(len(self.pixels.mask_features), -1, -1)  # (B, Q, d)

    def _resolve_pooling_ties(self, index: int, queries: Tensor) -> Prediction:
        """Resolve the ties of class pooling; returns the prediction without flips."""
        decisions, golden = self.decisions[index], self.goldens[index]
        prediction = predict_queries(self.decoder, queries, self.pixels.mask_features, self.text_embeddings)
        for query_index, difference in differing_queries(prediction.logits, golden, self.tolerance).items():
            flipped_query = self._flip_pooling_ties(
                queries, prediction.masks[query_index], golden[query_index], query_index, difference
            )
            if flipped_query is not None:
                decisions.pooled[query_index] = flipped_query.mask
                decisions.ties += flipped_query.pixels
        return prediction

    def _predict(self, index: int, queries: Tensor) -> Prediction:
        """Return a prediction with the ties of class pooling resolved."""
        prediction = predict_queries(self.decoder, queries, self.pixels.mask_features, self.text_embeddings)
        pooled = self.decisions[index].pooled
        if not pooled:
            return prediction
        logits = prediction.logits.clone()
        for query_index, mask in pooled.items():
            logits[query_index] = self._classify(queries, query_index, mask[None])[0]
        return Prediction(logits, prediction.masks)

    def _flipped_pixels(self, i: int, queries: Tensor, previous: Prediction) -> list[Pixel]:
        """Return the tied pixels before layer i that have to be flipped.

        Each attempt flips pixels of all queries that still differ. A query keeps the first flips that explain all of
        its difference, or finally those that explain most of it.
        """
        flipped: list[Pixel] = []
        before = self._unexplained(i, self._layer(i, queries, previous, flipped))
        tied = {query_index: self._tied_pixels(i, previous, query_index) for query_index in before}
        attempts = {
            query_index: iter(_attempts([pixel for _, pixel in pixels])) for query_index, pixels in tied.items()
        }
        best: dict[QueryIndex, tuple[float, tuple[Pixel, ...]]] = {
            query_index: (EXPLAINED * difference, ()) for query_index, difference in before.items()
        }
        while attempts:
            attempt = {
                query_index: pixels
                for query_index, remaining in attempts.items()
                if (pixels := next(remaining, None)) is not None
            }
            attempts = {query_index: attempts[query_index] for query_index in attempt}
            trial = [pixel for pixels in attempt.values() for pixel in pixels]
            unexplained = self._unexplained(i, self._layer(i, queries, previous, flipped + trial)) if trial else {}
            for query_index, pixels in attempt.items():
                result = (unexplained.get(query_index, 0.0), pixels)
                best[query_index] = min(best[query_index], result, key=itemgetter(0))
                if query_index not in unexplained:
                    flipped.extend(best.pop(query_index)[1])
                    del attempts[query_index]
        return flipped + [pixel for _, pixels in best.values() for pixel in pixels]

    def _layer(self, i: int, queries: Tensor, previous: Prediction, flipped: Sequence[Pixel]) -> Tensor:
        """Run layer i, after the query injection if there is one before it."""
        if self.sam_embedding is not None and self._injects_before(i):
            masks = _flip(resize(previous.masks, self.sam_embedding.shape[-2:]), flipped, POOL)
            queries = inject_into_queries(queries, masks, self.sam_embedding, self.decoder._mask_pooling_proj)
        masks = _flip(resize(previous.masks, self.levels[i % SCALES].map.shape[-2:]), flipped, ATTEND)
        return self.decoder.layer(i, queries, visible_pixels(masks), self.levels, self.pixels.sam_map)

    def _injects_before(self, i: int) -> bool:
        return i > 0 and (i - 1) % SCALES == self.decoder.query_injection_scale

    def _unexplained(self, i: int, queries: Tensor) -> dict[QueryIndex, float]:
        """Return the differences of queries after layer i that ties of class pooling do not explain."""
        golden = self.goldens[i + 1]
        prediction = predict_queries(self.decoder, queries, self.pixels.mask_features, self.text_embeddings)
        remaining = {}
        for query_index, difference in differing_queries(prediction.logits, golden, self.tolerance).items():
            flipped_query = self._flip_pooling_ties(
                queries, prediction.masks[query_index], golden[query_index], query_index, difference
            )
            remaining[query_index] = (
                difference if flipped_query is None else largest_difference(flipped_query.logits, golden[query_index])
            )
        return {query_index: difference for query_index, difference in remaining.items() if difference > self.tolerance}

    def _tied_pixels(self, i: int, previous: Prediction, query_index: QueryIndex) -> list[tuple[float, Pixel]]:
        """Return the tied pixels of a query in the masks that layer i uses, those closest to the threshold first.

        Each has its distance to the threshold.
        """
        sizes = {ATTEND: self.levels[i % SCALES].map.shape[-2:]}
        if self.sam_embedding is not None and self._injects_before(i):
            sizes[POOL] = self.sam_embedding.shape[-2:]
        pixels = []
        for use, size in sizes.items():
            logits = resize(previous.masks[query_index][None, None], size).flatten()
            tied = tied_pixels(logits, self.margin)
            pixels += [(float(logits[index].abs()), Pixel(use, *query_index, index)) for index in tied]
        return sorted(pixels)[:MAX_TIED_PIXELS]

    def _flip_pooling_ties(
        self, queries: Tensor, mask: Tensor, golden: Tensor, query_index: QueryIndex, difference: float
    ) -> FlippedQuery | None:
        return flip_pooling_ties(
            lambda masks: self._classify(queries, query_index, masks),
            mask,
            golden,
            difference=difference,
            margin=self.margin,
        )

    def _classify(self, queries: Tensor, query_index: QueryIndex, masks: Tensor) -> Tensor:
        """Return the class logits (V, C + 1) of a query with other masks (V, h, w)."""
        image, query = query_index
        normalised = self.decoder.decoder_norm(queries[image : image + 1, query : query + 1])  # (1, 1, d)
        pooled = _pool_alike(self.pixels.mask_features[image], masks)[None]  # (1, V, d)
        embeddings = self.decoder.embed(normalised.expand(-1, len(masks), -1), pooled)  # (1, V, E)
        return class_logits(embeddings, self.text_embeddings, self.decoder.logit_scale)[0]


def predict_queries(
    decoder: MultiScaleMaskedTransformerDecoder, queries: Tensor, mask_features: Tensor, text: TextEmbeddings
) -> Prediction:
    """Predict a mask and class logits for each query (B, Q, d), as one layer of the decoder does."""
    output = decoder.output_of(queries, mask_features)
    return Prediction(class_logits(output.embeddings, text, decoder.logit_scale), output.masks)


def _attempts(pixels: Sequence[Pixel]) -> list[tuple[Pixel, ...]]:
    """Return the sets of tied pixels to flip: each alone, then pairs of the closest."""
    return [*subsets(pixels, 1), *(pair for pair in subsets(pixels[:MAX_PAIRED], 2) if len(pair) > 1)]


def _pool_alike(features: Tensor, masks: Tensor) -> Tensor:
    """Return the averages (V, d) of features (d, h, w) under masks (V, h, w) that differ in few pixels.

    The sum under the first mask is computed once; the others add and subtract the pixels in which they differ from it.
    """
    features, inside = features.flatten(1), masks.flatten(1) > 0  # (d, h·w), (V, h·w)
    changed = (inside != inside[0]).any(dim=0).nonzero()[:, 0]
    change = inside[:, changed].to(features.dtype) - inside[0, changed].to(features.dtype)  # (V, changed)
    sums = features @ inside[0].to(features.dtype) + change @ features[:, changed].T  # (V, d)
    return sums / (inside.sum(dim=1, keepdim=True) + POOLING_EPSILON)


def _flip(masks: Tensor, pixels: Sequence[Pixel], use: str) -> Tensor:
    """Return masks (B, Q, h, w) with the pixels of one use flipped."""
    flipped = masks.flatten(2).clone()
    for pixel in pixels:
        if pixel.use == use:
            flip(flipped[pixel.image, pixel.query], [pixel.position])
    return flipped.view_as(masks)
