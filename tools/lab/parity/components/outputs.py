"""Post-processing, the mask-proposal ensemble and the criterion.

Letters: Q queries, C classes, M proposals, H×W image size.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg.modeling.criterion.matcher import HungarianMatcher
from frozenseg.modeling.criterion.set_criterion import SetCriterion
from frozenseg.modeling.ensemble.mask_proposals import mask_proposal_ensemble
from frozenseg.modeling.postprocess.chunked_masks import MaskCandidates
from frozenseg.modeling.postprocess.instance import instance_inference
from frozenseg.modeling.postprocess.panoptic import panoptic_inference
from frozenseg.modeling.postprocess.semantic import semantic_inference
from frozenseg.modeling.types import MaskPredictions, Prediction, Target
from lab.parity.compare import Row
from lab.parity.components.component import Component, draws, find
from lab.parity.discrete import Scored, compare_instances, recorded_segments
from lab.parity.inputs import evaluate_recipe, make_blob_masks, make_labels, randn, stateless_rand
from lab.parity.matching import compare_matchings, recorded

TILES = 24
DEFAULT_ALPHA = 0.5  # of cases without alpha in their name
PROPOSED = re.compile(r"geo_with_sam_(?:alpha(?P<alpha>.+)|(?P<kind>none_kept|no_masks))")


def inference(component: Component) -> Iterator[Row]:
    """Yield rows for semantic, panoptic and instance inference, and for the ensemble with SAM proposals."""
    logits, noise = draws(component.metadata["args"])
    blobs = evaluate_recipe(find(r"make_blob_masks\([\w,=]+\)", component.metadata["args"])[0])
    logits, masks = 4 * logits, torch.where(blobs, 2.0, -6.0) + noise
    semantic = semantic_inference(logits, masks)
    yield component.close("semantic", semantic)
    isthing = tuple(bool(flag) for flag in component.metadata["test_thing"])
    tiles = _tiles(component, logits, masks.shape)
    for name in sorted(component.arrays):
        kind, _, setting = name.partition("_")
        if kind == "panoptic":
            if setting in tiles:
                inputs = tiles[setting]
            else:
                score_threshold, overlap_threshold = map(float, setting.split("_"))
                inputs = (logits, masks, score_threshold, overlap_threshold)
            yield from _panoptic(component, setting, inputs, isthing)
    yield _instances(component, Scored(logits, masks, 1e-6, 1e-6), isthing)
    yield from _proposals(component, semantic)


def criterion(component: Component) -> Iterator[Row]:
    """Yield rows for matchings and losses, also of images without targets."""
    config = component.metadata["config"]
    matcher = HungarianMatcher(
        class_weight=config["cost_class"],
        mask_weight=config["cost_mask"],
        dice_weight=config["cost_dice"],
        points=config["num_points"],
    )
    module = SetCriterion(
        classes=config["num_classes"],
        matcher=matcher,
        weights=(1.0, 1.0, 1.0),
        void_weight=config["eos_coef"],
        points=config["num_points"],
        oversample=config["oversample"],
        importance=config["importance"],
    )
    for name, case in component.metadata.items():
        if isinstance(case, Mapping) and "losses_seeded" in case:
            yield from _losses(component, name, case, module)


def _panoptic(
    component: Component, setting: str, inputs: tuple[Tensor, Tensor, float, float], isthing: tuple[bool, ...]
) -> Iterator[Row]:
    logits, masks, *thresholds = inputs
    ids, predicted = panoptic_inference(MaskCandidates(logits, masks), isthing, *thresholds)
    segments = recorded_segments(predicted)
    yield component.equal(f"panoptic_{setting}", ids)
    golden = component.metadata[f"segments_{setting}"]
    wrong = sum(segment not in golden for segment in segments) + sum(segment not in segments for segment in golden)
    yield component.compare.equal(f"{component.name}/segments_{setting}", wrong)


def _tiles(component: Component, logits: Tensor, shape: torch.Size) -> dict[str, tuple[Tensor, Tensor, float, float]]:
    """Return logits, masks and thresholds of synthetic tiles, without and with overlap."""
    queries, height, width = shape
    cy, cx = (
        positions[:TILES] * size
        for positions, size in zip(draws(component.metadata["args_tiles"], "rand"), (height, width), strict=True)
    )
    y, x = torch.arange(height)[:, None], torch.arange(width)[None]
    distance = (y - cy[:, None, None]) ** 2 + (x - cx[:, None, None]) ** 2  # (tiles, H, W)
    nearest = distance.argmin(dim=0) == torch.arange(TILES)[:, None, None]
    wide = distance <= 1.35 * distance.amin(dim=0) + 4
    noise = draws(component.metadata["args_soft_tiles"])[0]
    others = torch.full((queries - TILES, height, width), -8.0)
    logits = logits.clone()
    logits[TILES:, -1] += 40
    sharp = torch.cat([torch.where(nearest, 5.0, -5.0), others])
    soft = torch.cat([torch.where(wide, 2.0, -5.0) + 0.2 * noise, others])
    return {"tiles": (logits, sharp, 0.0, 0.8), "soft_tiles": (logits, soft, 0.0, 0.8)}


def _instances(component: Component, scored: Scored, isthing: tuple[bool, ...]) -> Row:
    shape = component.metadata["inst_masks_shape"]
    packed = np.unpackbits(component.array("inst_masks_packed"), count=int(np.prod(shape))).reshape(shape)
    golden = (component.array("inst_scores"), component.array("inst_classes"), packed.astype(bool))
    detections = int(find(r"topk (\d+)", component.metadata["args"])[1])
    instances = instance_inference(MaskCandidates(scored.logits, scored.masks), detections, isthing)
    return compare_instances(component.compare, f"{component.name}/instances", instances, golden, scored, detections)


def _proposals(component: Component, semantic: Tensor) -> Iterator[Row]:
    text = component.metadata["args_sam"]
    noise, logits = draws(text)
    blobs = evaluate_recipe(find(r"make_blob_masks\([\d,]+\)", text)[0])
    masks, logits = torch.where(blobs, 3.0, -3.0) + 0.5 * noise, 5 * logits[0]
    seen = torch.tensor(ast.literal_eval(find(r"mask=(\[[\d, ]+\])", text)[1])).bool()
    for name in sorted(component.arrays):
        match = PROPOSED.fullmatch(name)
        if match is None:
            continue
        inputs = {"none_kept": (0.01 * logits, masks), "no_masks": (logits[:0], masks[:0])}.get(
            match["kind"], (logits, masks)
        )
        yield component.close(
            name, mask_proposal_ensemble(semantic, *inputs, seen, float(match["alpha"] or DEFAULT_ALPHA))
        )


def _losses(component: Component, name: str, case: Mapping[str, Any], module: SetCriterion) -> Iterator[Row]:
    predictions, targets, seed = _criterion_inputs(case)
    for kind in ("seeded", "stateless"):
        with recorded(module) as matcher:
            if kind == "seeded":
                torch.manual_seed(seed)
                losses = module(predictions, targets)
            else:
                with stateless_rand(seed):
                    losses = module(predictions, targets)
        goldens = case[f"indices_{kind}"]
        yield from compare_matchings(component.compare, f"{component.name}/{name} matching {kind}", goldens, matcher)
        expected = case[f"losses_{kind}"]
        actual = torch.stack([losses[key] for key in expected])
        yield component.compare.close(
            f"{component.name}/{name} losses {kind}", actual, np.array(list(expected.values()))
        )


def _criterion_inputs(case: Mapping[str, Any]) -> tuple[MaskPredictions, list[Target], int]:
    """Return the predictions, the targets and the seed of a textual recipe."""

    def numbers(pattern: str) -> list[int]:
        return [int(number) for number in find(pattern, case["recipe"])[1].split(",")]

    seed = numbers(r"manual_seed\((\d+)\)")[0]
    batch, queries, logits = numbers(r"pred_logits=2\*randn\(\d+\+10\*i,([\d,]+)\)")
    coarse = numbers(r"bilinear\(randn\(\d+\+10\*i\+1,([\d,]+)\)")
    size = numbers(r"\),\(([\d,]+)\)\)")
    labels, classes = numbers(r"make_labels\((\d+)")[0], numbers(r"make_labels\([^,]+,count,(\d+)\)")[0]
    blobs, full = numbers(r"make_blob_masks\((\d+)")[0], numbers(r"make_blob_masks\([^,]+,count,([\d,]+)\)")
    predictions = [
        Prediction(
            2 * randn(seed + 10 * layer, batch, queries, logits),
            3 * F.interpolate(randn(seed + 10 * layer + 1, *coarse), size, mode="bilinear"),
        )
        for layer in range(3)
    ]
    targets = [
        Target(make_labels(labels + 2 * image, count, classes), make_blob_masks(blobs + 2 * image, count, *full))
        for image, count in enumerate(case["counts"])
    ]
    return MaskPredictions(predictions[-1], tuple(predictions[:-1])), targets, seed
