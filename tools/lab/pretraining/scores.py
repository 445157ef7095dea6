"""How much the pretrained encoders know of ToyWorld's zero-shot test pictures, beside chance and colour clustering.

Letters: S scenes, N regions, E the width of CLIP's joint space, H×W the picture.
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
from lab.pretraining.sam import Prompts, mask_ious, masks_at, normalise

MARGIN, CROP = 1.2, 64  # of a thing's crop: side over the thing's longer side, and pixels
DENSE = 256  # pixels a side of a scene as CLIP sees it when FrozenSeg runs
THRESHOLDS = (0.5, 0.75, 0.9)  # of recall, IoU
CLUSTERS, LEAST_REGION = 8, 30  # of the clustering of colours; pixels of its smallest region
POINTS = 16  # a side of the grid at which SAM is asked
Scores = dict[str, dict[str, float]]  # of what → by whom → percent


def zero_shot_scenes(count: int) -> list[Scene]:
    """Return the first pictures of ToyWorld's zero-shot test, before they become JPEGs.

    Raises:
        ConfigError: none is asked for.
    """
    if count < 1:
        raise ConfigError(f"The number of test scenes is {count}: give 1 or more.")
    return [make_scene(Recipe("val_unseen", 0, count), number) for number in range(1, count + 1)]


@torch.no_grad()
def clip_scores(clip: FrozenCLIP, scenes: Sequence[Scene]) -> Scores:
    """Return how often CLIP names a thing or material right among all of ToyWorld's, by tier, in percent.

    Things are cut out of the picture; regions are pooled from the map of the whole picture under their true masks, as
    FrozenSeg does.
    """
    categories = all_categories()
    place = {category.id: index for index, category in enumerate(categories)}
    rows = TextClassifier(clip).embed(tuple(category.name for category in categories))  # (C, E)
    right: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for scene in progress(scenes, "asking CLIP"):
        image = torch.from_numpy(scene.image).permute(2, 0, 1).contiguous()  # (3, H, W)
        truth = torch.tensor([place[segment.category.id] for segment in scene.segments])
        masks = region_masks(scene)  # (N, H, W)
        guesses = (F.normalize(_pooled(clip, image, masks), dim=-1) @ rows.T).argmax(dim=-1)
        for segment, hit in zip(scene.segments, guesses == truth, strict=True):
            right["regions, pooled from the scene"][_tier(segment.category)].append(bool(hit))
        things = [index for index, segment in enumerate(scene.segments) if segment.category.isthing]
        boxes = [square_around(_box(masks[index]), MARGIN) for index in things]
        crops = cut(image[None], [0] * len(things), boxes, CROP)
        guesses = (F.normalize(encode_images(clip.clip_model, crops), dim=-1) @ rows.T).argmax(dim=-1)
        for index, guess in zip(things, guesses, strict=True):
            right["things, cut out"][_tier(scene.segments[index].category)].append(bool(guess == truth[index]))
    scores = {what: {tier: 100 * float(np.mean(hits)) for tier, hits in tiers.items()} for what, tiers in right.items()}
    return scores | {"chance": {"any": 100 / len(categories)}}


def sam_scores(sam: FrozenSAM, scenes: Sequence[Scene], seed: int = 0) -> Scores:
    """Return the mIoU of SAM's mask at one point of each region, and the recall of regions, in percent.

    The mask at a point is the one of three that SAM itself believes to be best, or the truly best one.
    """
    rng = np.random.default_rng(seed)
    ious: dict[str, list[float]] = defaultdict(list)
    best: dict[str, list[Tensor]] = defaultdict(list)
    settings = ProposalSettings(points_per_side=POINTS, min_region_area=0)
    for scene in progress(scenes, "asking SAM"):
        masks = region_masks(scene)
        believed, possible = _ious_at_points(sam, scene, masks, rng)
        for segment, one, other in zip(scene.segments, believed, possible, strict=True):
            kind = "things" if segment.category.isthing else "materials"
            ious[f"{kind}, by its own choice"].append(float(one))
            ious[f"{kind}, the best of three"].append(float(other))
        image = torch.from_numpy(scene.image).permute(2, 0, 1)
        proposals = torch.from_numpy(propose_masks(sam, image, settings).masks())
        best["SAM's automatic masks"].append(best_ious(masks, proposals))
        best["clusters of colours"].append(best_ious(masks, colour_clusters(scene.image)))
    recall = {
        f"recall at IoU {threshold:g}": {
            who: 100 * float((torch.cat(values) >= threshold).float().mean()) for who, values in best.items()
        }
        for threshold in THRESHOLDS
    }
    return {"mIoU at one point": {what: 100 * float(np.mean(values)) for what, values in ious.items()}} | recall


def region_masks(scene: Scene) -> Tensor:
    """Return the masks of a scene's segments, (N, H, W) bool."""
    return torch.stack([torch.from_numpy(scene.ids == segment.id) for segment in scene.segments])


def colour_clusters(image: np.ndarray) -> Tensor:
    """Return the connected regions of a picture's clusters of colours, (M, H, W) bool: masks without a SAM.

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
        masks += [numbers == number for number in range(1, len(sizes)) if sizes[number] >= LEAST_REGION]
    return torch.from_numpy(np.stack(masks))


def best_ious(regions: Tensor, masks: Tensor) -> Tensor:
    """Return the IoU of each region (N, H, W) with the mask (M, H, W) that meets it best, (N,)."""
    if len(masks) == 0:
        return torch.zeros(len(regions))
    first, second = regions.flatten(1).float(), masks.flatten(1).float()
    overlap = first @ second.T  # (N, M)
    return (overlap / (first.sum(1)[:, None] + second.sum(1)[None] - overlap)).max(dim=1).values


def _pooled(clip: FrozenCLIP, image: Tensor, masks: Tensor) -> Tensor:
    """Return CLIP's vectors of regions, pooled from the map of the picture, (N, E)."""
    normalised = ((image.float() - MEAN) / STD)[None]
    dense = clip(F.interpolate(normalised, size=(DENSE, DENSE), mode="bilinear", align_corners=False)).dense
    return clip.project(dense, (2 * masks.float() - 1)[None])[0]


@torch.no_grad()
def _ious_at_points(sam: FrozenSAM, scene: Scene, masks: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Ask at a random pixel of each region; returns the IoU of SAM's choice and of its best mask, (N,) each."""
    pixels = [places[rng.integers(len(places))] for places in (mask.nonzero() for mask in masks)]
    points = torch.stack(pixels).flip(1).float()[None] + 0.5  # (1, N, 2) x, y
    image = normalise(torch.from_numpy(scene.image).permute(2, 0, 1))[None]
    logits, quality = masks_at(sam, Prompts(image, points, masks.float()[None]))
    logits, quality = logits[0, :, 1:], quality[0, :, 1:]  # (N, 3, h, w), (N, 3)
    full = F.interpolate(logits, size=masks.shape[-2:], mode="bilinear", align_corners=False)
    ious = mask_ious(full, masks[:, None].float())  # (N, 3)
    return ious.gather(1, quality.argmax(dim=1, keepdim=True))[:, 0], ious.max(dim=1).values


def _tier(category: Category) -> str:
    return category.tier if category.isthing or category.tier != "seen" else "seen material"


def _box(mask: Tensor) -> tuple[float, float, float, float]:
    rows, columns = mask.nonzero(as_tuple=True)
    return float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)
