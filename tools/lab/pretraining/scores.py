"""Scores of the pretrained encoders on ToyWorld's zero-shot split, beside chance and colour clustering.

Letters: C classes, N regions, M masks, E embedding width, H×W image size.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from scipy.cluster.vq import kmeans2
from torch import Tensor

from frozenseg.errors import ConfigError
from frozenseg.log import progress
from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.clip.text_classifier import TextClassifier
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.automatic_masks.proposals import propose_masks
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.toyworld.categories import Category, all_categories
from frozenseg.toyworld.export import Recipe, make_scene
from frozenseg.toyworld.scenes import Scene
from lab.pretraining.clip import MEAN, STD, encode_images
from lab.pretraining.crops import cut, square_around
from lab.pretraining.sam import Prompts, mask_ious, normalise, predict_masks

MARGIN, CROP = 1.2, 64  # crop size of a thing: multiple of the longer side of its box, and pixels after resizing
DENSE = 256  # input size of CLIP in pixels, as in FrozenSeg-tiny
THRESHOLDS = (0.5, 0.75, 0.9)  # IoU thresholds of recall
CLUSTERS, MIN_REGION = 8, 30  # colour clustering: number of clusters, smallest region in pixels
POINTS = 16  # points per side of SAM's grid
Scores = dict[str, dict[str, float]]  # score → group or method → percent


def zero_shot_scenes(count: int) -> list[Scene]:
    """Return the first scenes of ToyWorld's zero-shot split, without JPEG compression.

    Raises:
        ConfigError: The count is below 1.
    """
    if count < 1:
        raise ConfigError(f"The number of test scenes is {count}: at least 1 is needed.")
    return [make_scene(Recipe("val_unseen", 0, count), number) for number in range(1, count + 1)]


@torch.no_grad()
def clip_scores(clip: FrozenCLIP, scenes: Sequence[Scene]) -> Scores:
    """Return CLIP's accuracy on things and materials, among all classes of ToyWorld, by tier, in percent.

    Things are classified by a crop of the image, and regions by pooling from the feature map of the whole image under
    their ground truth masks, as in FrozenSeg.
    """
    categories = all_categories()
    class_index = {category.id: index for index, category in enumerate(categories)}
    rows = TextClassifier(clip).embed(tuple(category.name for category in categories))  # (C, E)
    correct: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for scene in progress(scenes, "scoring CLIP"):
        image = torch.from_numpy(scene.image).permute(2, 0, 1).contiguous()  # (3, H, W)
        labels = torch.tensor([class_index[segment.category.id] for segment in scene.segments])
        masks = region_masks(scene)  # (N, H, W)
        predicted = (F.normalize(pooled(clip, image, masks), dim=-1) @ rows.T).argmax(dim=-1)
        for segment, hit in zip(scene.segments, predicted == labels, strict=True):
            correct["regions, pooled from the scene"][_tier(segment.category)].append(bool(hit))
        things = [index for index, segment in enumerate(scene.segments) if segment.category.isthing]
        boxes = [square_around(box_of(masks[index]), MARGIN) for index in things]
        crops = cut(image[None], [0] * len(things), boxes, CROP)
        predicted = (F.normalize(encode_images(clip.clip_model, crops), dim=-1) @ rows.T).argmax(dim=-1)
        for index, prediction in zip(things, predicted, strict=True):
            hit = bool(prediction == labels[index])
            correct["things, cut out"][_tier(scene.segments[index].category)].append(hit)
    scores = {
        score: {tier: 100 * float(np.mean(hits)) for tier, hits in tiers.items()} for score, tiers in correct.items()
    }
    return scores | {"chance": {"any": 100 / len(categories)}}


def sam_scores(sam: FrozenSAM, scenes: Sequence[Scene], seed: int = 0) -> Scores:
    """Return the mIoU of SAM's mask at one point per region, and the recall of regions, in percent.

    The mask at a point is the one of three with the highest predicted IoU, or the one with the highest IoU.
    """
    rng = np.random.default_rng(seed)
    ious: dict[str, list[float]] = defaultdict(list)
    best: dict[str, list[Tensor]] = defaultdict(list)
    settings = ProposalSettings(points_per_side=POINTS, min_region_area=0)
    for scene in progress(scenes, "scoring SAM"):
        masks = region_masks(scene)
        chosen, highest = _ious_at_points(sam, scene, masks, rng)
        for segment, chosen_iou, highest_iou in zip(scene.segments, chosen, highest, strict=True):
            kind = "things" if segment.category.isthing else "materials"
            ious[f"{kind}, highest predicted IoU"].append(float(chosen_iou))
            ious[f"{kind}, best of three"].append(float(highest_iou))
        image = torch.from_numpy(scene.image).permute(2, 0, 1)
        proposals = torch.from_numpy(propose_masks(sam, image, settings).masks())
        best["SAM proposals"].append(best_ious(masks, proposals))
        best["colour clusters"].append(best_ious(masks, colour_clusters(scene.image)))
    recall = {
        f"recall at IoU {threshold:g}": {
            method: 100 * float((torch.cat(values) >= threshold).float().mean()) for method, values in best.items()
        }
        for threshold in THRESHOLDS
    }
    return {"mIoU at one point": {group: 100 * float(np.mean(values)) for group, values in ious.items()}} | recall


def region_masks(scene: Scene) -> Tensor:
    """Return the masks of the segments of a scene, (N, H, W) bool."""
    return torch.stack([torch.from_numpy(scene.ids == segment.id) for segment in scene.segments])


def colour_clusters(image: np.ndarray) -> Tensor:
    """Return the connected components of the colour clusters of an image, (M, H, W) bool: a baseline for SAM.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    smooth = ndimage.uniform_filter(image.astype(np.float64), (3, 3, 1))
    _, labels = kmeans2(smooth.reshape(-1, 3), CLUSTERS, minit="++", seed=0)
    labels = labels.reshape(image.shape[:2])
    masks = []
    for cluster in range(CLUSTERS):
        numbers, _ = ndimage.label(labels == cluster)
        sizes = np.bincount(numbers.ravel())
        masks += [numbers == number for number in range(1, len(sizes)) if sizes[number] >= MIN_REGION]
    return torch.from_numpy(np.stack(masks))


def best_ious(regions: Tensor, masks: Tensor) -> Tensor:
    """Return the highest IoU (N,) of each region (N, H, W) with any mask (M, H, W)."""
    if len(masks) == 0:
        return torch.zeros(len(regions))
    first, second = regions.flatten(1).float(), masks.flatten(1).float()
    overlap = first @ second.T  # (N, M)
    return (overlap / (first.sum(1)[:, None] + second.sum(1)[None] - overlap)).max(dim=1).values


def pooled(clip: FrozenCLIP, image: Tensor, masks: Tensor, size: int = DENSE) -> Tensor:
    """Return CLIP's embeddings (N, E) of regions, pooled from the feature map of the image at a size in pixels."""
    normalised = ((image.float() - MEAN) / STD)[None]
    dense = clip(F.interpolate(normalised, size=(size, size), mode="bilinear", align_corners=False)).dense
    return clip.project(dense, (2 * masks.float() - 1)[None])[0]


@torch.no_grad()
def _ious_at_points(sam: FrozenSAM, scene: Scene, masks: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Prompt SAM at a random pixel of each region; returns the IoUs (N,) of its chosen mask and of its best mask."""
    pixels = [inside[rng.integers(len(inside))] for inside in (mask.nonzero() for mask in masks)]
    points = torch.stack(pixels).flip(1).float()[None] + 0.5  # (1, N, 2) x, y
    image = normalise(torch.from_numpy(scene.image).permute(2, 0, 1))[None]
    logits, quality = predict_masks(sam, Prompts(image, points, masks.float()[None]))
    logits, quality = logits[0, :, 1:], quality[0, :, 1:]  # (N, 3, h, w), (N, 3)
    full = F.interpolate(logits, size=masks.shape[-2:], mode="bilinear", align_corners=False)
    ious = mask_ious(full, masks[:, None].float())  # (N, 3)
    return ious.gather(1, quality.argmax(dim=1, keepdim=True))[:, 0], ious.max(dim=1).values


def _tier(category: Category) -> str:
    return category.tier if category.isthing or category.tier != "seen" else "seen material"


def box_of(mask: Tensor) -> tuple[float, float, float, float]:
    """Return the box x0, y0, x1, y1 of a mask (H, W) bool, the end exclusive, pixels."""
    rows, columns = mask.nonzero(as_tuple=True)
    return float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)
