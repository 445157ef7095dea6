"""The transformer decoder, run layer by layer beside the reference's predictions, ties taken the reference's way.

Letters: B images, Q queries, C classes, d width.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

import torch
from torch import Tensor

from frozenseg.modeling.layers.mask_pooling import POOLING_EPSILON
from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.transformer_decoder.masked_decoder import SCALES, MultiScaleMaskedTransformerDecoder
from frozenseg.modeling.transformer_decoder.query_injector import inject_into_queries
from frozenseg.modeling.types import PixelFeatures, Prediction, TextEmbeddings
from lab.parity.ties import (
    EXPLAINED,
    MOST_TIED_PIXELS,
    Place,
    Turned,
    apart,
    differing,
    pooled_otherwise,
    subsets,
    tied,
    turn,
)

MOST_PAIRED = 4  # tied pixels of a query that are tried in pairs, as the whole layer must be run for each attempt
ATTEND, POOL = "attend", "pool"  # what a pixel decides: where the layer looks, where SAM's embedding is pooled


class Pixel(NamedTuple):
    """A tied pixel."""

    use: str  # ATTEND or POOL
    image: int
    query: int
    index: int  # in the flattened map


@dataclass
class Sides:
    """On which side of a prediction's ties the reference was.

    Attributes:
        turned: pixels that the layer before it asked about.
        pooled: masks (h, w) that the class was pooled under, where not under the predicted ones.
        ties: pixels that changed sides.
    """

    turned: list[Pixel] = field(default_factory=list)
    pooled: dict[Place, Tensor] = field(default_factory=dict)
    ties: int = 0


class TiedDecoder:
    """Runs a decoder beside the reference's class logits.

    Args:
        decoder: ours.
        pixels: the pixel decoder's output.
        sam_embedding: SAM's embedding; None without SAM.
        words: the text classifier.
        goldens: the reference's class logits (B, Q, C + 1) of each prediction.
        tolerance: class logits that differ by more are looked into.
        margin: mask logits nearer to 0 are ties.
    """

    def __init__(
        self,
        decoder: MultiScaleMaskedTransformerDecoder,
        *,
        pixels: PixelFeatures,
        sam_embedding: Tensor | None,
        words: TextEmbeddings,
        goldens: Sequence[Tensor],
        tolerance: float,
        margin: float,
    ) -> None:
        self.decoder, self.pixels, self.sam_embedding, self.words = decoder, pixels, sam_embedding, words
        self.goldens, self.tolerance, self.margin = goldens, tolerance, margin
        self.maps, self.positions = decoder.levels(pixels)
        self.sides = [Sides() for _ in goldens]

    @torch.no_grad()
    def settle(self) -> list[int]:
        """Find the reference's side of every tie, one prediction after the other; returns how many each has."""
        queries = self._initial_queries()
        previous = self._settle_pooling(0, queries)
        for i in range(len(self.decoder.transformer_ffn_layers)):
            sides = self.sides[i + 1]
            sides.turned = self._turned(i, queries, previous)
            sides.ties = len(sides.turned)
            queries = self._layer(i, queries, previous, sides.turned)
            previous = self._settle_pooling(i + 1, queries)
        return [sides.ties for sides in self.sides]

    def decode(self) -> list[Prediction]:
        """Return the predictions from the initial queries and after every layer, ties taken as settled."""
        queries = self._initial_queries()
        predictions = [self._say(0, queries)]
        for i in range(len(self.decoder.transformer_ffn_layers)):
            queries = self._layer(i, queries, predictions[-1], self.sides[i + 1].turned)
            predictions.append(self._say(i + 1, queries))
        return predictions

    def _initial_queries(self) -> Tensor:
        return self.decoder.query_feat.weight.expand(len(self.maps[0]), -1, -1)  # (B, Q, d)

    def _settle_pooling(self, index: int, queries: Tensor) -> Prediction:
        """Find the reference's side of the ties of class pooling; returns the prediction."""
        sides, golden = self.sides[index], self.goldens[index]
        prediction = self.decoder.predict(queries, self.pixels.mask_features, self.words)
        for place, difference in differing(prediction.logits, golden, self.tolerance).items():
            found = self._pooled_otherwise(queries, prediction.masks[place], golden[place], place, difference)
            if found is not None:
                sides.pooled[place] = found.mask
                sides.ties += found.pixels
        return prediction

    def _say(self, index: int, queries: Tensor) -> Prediction:
        """Predict, ties of class pooling taken as settled."""
        prediction = self.decoder.predict(queries, self.pixels.mask_features, self.words)
        pooled = self.sides[index].pooled
        if not pooled:
            return prediction
        logits = prediction.logits.clone()
        for place, mask in pooled.items():
            logits[place] = self._classify(queries, place, mask[None])[0]
        return Prediction(logits, prediction.masks)

    def _turned(self, i: int, queries: Tensor, previous: Prediction) -> list[Pixel]:
        """Return the tied pixels before layer i that the reference had on the other side.

        Each attempt turns pixels of every query that still differs. A query keeps at once what explains all of its
        difference, or in the end what explains most of it.
        """
        turned: list[Pixel] = []
        before = self._unexplained(i, self._layer(i, queries, previous, turned))
        attempts = {place: iter(_attempts(self._tied(i, previous, place))) for place in before}
        nearest = {place: (EXPLAINED * difference, ()) for place, difference in before.items()}
        while attempts:
            attempt = {place: next(pixels, None) for place, pixels in attempts.items()}
            attempts = {place: attempts[place] for place, pixels in attempt.items() if pixels is not None}
            trial = [pixel for place in attempts for pixel in attempt[place]]
            left = self._unexplained(i, self._layer(i, queries, previous, turned + trial)) if trial else {}
            for place in list(attempts):
                nearest[place] = min(nearest[place], (left.get(place, 0.0), attempt[place]), key=itemgetter(0))
                if place not in left:
                    turned.extend(nearest.pop(place)[1])
                    del attempts[place]
        return turned + [pixel for _, pixels in nearest.values() for pixel in pixels]

    def _layer(self, i: int, queries: Tensor, previous: Prediction, turned: Sequence[Pixel]) -> Tensor:
        """Run layer i, and the query injection that comes before it."""
        if self._injects_before(i):
            masks = _turn(resize(previous.masks, self.sam_embedding.shape[-2:]), turned, POOL)
            queries = inject_into_queries(queries, masks, self.sam_embedding, self.decoder._mask_pooling_proj)
        masks = _turn(resize(previous.masks, self.maps[i % SCALES].shape[-2:]), turned, ATTEND)
        seen = Prediction(previous.logits, masks)
        return self.decoder.layer(i, queries, seen, self.maps, self.positions, self.pixels.sam_map)

    def _injects_before(self, i: int) -> bool:
        return i > 0 and (i - 1) % SCALES == self.decoder.query_injection_scale

    def _unexplained(self, i: int, queries: Tensor) -> dict[Place, float]:
        """Return how far queries are off after layer i, where ties of class pooling do not explain all of it."""
        golden = self.goldens[i + 1]
        prediction = self.decoder.predict(queries, self.pixels.mask_features, self.words)
        left = {}
        for place, difference in differing(prediction.logits, golden, self.tolerance).items():
            found = self._pooled_otherwise(queries, prediction.masks[place], golden[place], place, difference)
            left[place] = difference if found is None else apart(found.logits, golden[place])
        return {place: difference for place, difference in left.items() if difference > self.tolerance}

    def _tied(self, i: int, previous: Prediction, place: Place) -> list[Pixel]:
        """Return a query's tied pixels among those that layer i asks about, the nearest to the threshold first."""
        sizes = {ATTEND: self.maps[i % SCALES].shape[-2:]}
        if self._injects_before(i):
            sizes[POOL] = self.sam_embedding.shape[-2:]
        found = []
        for use, size in sizes.items():
            logits = resize(previous.masks[place][None, None], size).flatten()
            found += [(float(logits[at].abs()), Pixel(use, *place, at)) for at in tied(logits, self.margin)]
        return [pixel for _, pixel in sorted(found)[:MOST_TIED_PIXELS]]

    def _pooled_otherwise(
        self, queries: Tensor, mask: Tensor, golden: Tensor, place: Place, difference: float
    ) -> Turned | None:
        return pooled_otherwise(
            lambda masks: self._classify(queries, place, masks),
            mask,
            golden,
            difference=difference,
            margin=self.margin,
        )

    def _classify(self, queries: Tensor, place: Place, masks: Tensor) -> Tensor:
        """Return the class logits (V, C + 1) of a query with other masks (V, h, w)."""
        image, query = place
        normalised = self.decoder.decoder_norm(queries[image : image + 1, query : query + 1])  # (1, 1, d)
        pooled = _pool_alike(self.pixels.mask_features[image], masks)[None]  # (1, V, d)
        return self.decoder.classify(normalised.expand(-1, len(masks), -1), pooled, self.words)[0]


def _attempts(pixels: Sequence[Pixel]) -> list[tuple[Pixel, ...]]:
    """Return which tied pixels to turn together: each alone, then pairs of the nearest."""
    return [*subsets(pixels, 1), *(pair for pair in subsets(pixels[:MOST_PAIRED], 2) if len(pair) > 1)]


def _pool_alike(features: Tensor, masks: Tensor) -> Tensor:
    """Average features (d, h, w) under masks (V, h, w) that are almost the same: (V, d).

    The sum under the first is taken once; the others add and subtract the few pixels in which they differ from it.
    """
    features, inside = features.flatten(1), masks.flatten(1) > 0  # (d, h·w), (V, h·w)
    moved = (inside != inside[0]).any(dim=0).nonzero()[:, 0]
    change = inside[:, moved].to(features.dtype) - inside[0, moved].to(features.dtype)  # (V, moved)
    sums = features @ inside[0].to(features.dtype) + change @ features[:, moved].T  # (V, d)
    return sums / (inside.sum(dim=1, keepdim=True) + POOLING_EPSILON)


def _turn(masks: Tensor, pixels: Sequence[Pixel], use: str) -> Tensor:
    """Return masks (B, Q, h, w) with some pixels on the other side of the threshold."""
    turned = masks.flatten(2).clone()
    for pixel in pixels:
        if pixel.use == use:
            turn(turned[pixel.image, pixel.query], [pixel.index])
    return turned.view_as(masks)
