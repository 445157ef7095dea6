"""ToyWorld's CLIP: images and sentences that belong together end at the same place (after Radford et al. 2021).

For the first part of the steps it learns from tight crops of things, until it can tell shapes apart; then most steps
show it whole scenes, with a sentence about each region (after RegionCLIP, Zhong et al. 2022). A network as small as
this one does not come to name the regions of a scene from crops alone, as the large ones do.

Letters: B images, S pixels a side, R regions of all of them, M sentences, c the width of the trunk's last map, E the
width of the joint space.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frozenseg.modeling.clip.base import FrozenCLIP, encode_text
from frozenseg.modeling.clip.convnext import apply_heads
from frozenseg.modeling.layers.mask_pooling import mask_pooling
from lab.pretraining.crops import draw_crops
from lab.pretraining.optimise import Losses
from lab.pretraining.regions import Regions, draw_regions
from lab.pretraining.scene_pool import ScenePool

CROPS_ALONE = 0.4  # share of the steps
REGIONS = 0.8  # share of the steps after these that show whole scenes
SIZES = (64, 64, 96)  # side of a step's crops, pixels, one of them drawn for each step
SCENE_SIZES = (224, 256, 256, 288)  # the same of whole scenes
CROPS_A_SCENE = 10  # crops are as much work as a scene, about
LARGEST_SCALE = 100.0
LAYER_SCALE = 0.5
TEXT_TOWER = ("transformer", "token_embedding", "positional_embedding", "ln_final", "text_projection")
SLOW_RATE = 0.1  # of the text tower's learning rate
MEAN = torch.tensor([122.7709383, 116.7460125, 104.09373615]).view(3, 1, 1)  # CLIP's, RGB, 0-255
STD = torch.tensor([68.5005327, 66.6321579, 70.32316305]).view(3, 1, 1)


class ContrastiveStep:
    """The loss of a step, by its number.

    Args:
        clip: wraps the model that is trained.
        pool: scenes.
        batch: crops of a step.
        steps: of the whole training.
        seed: of crops and scenes.
    """

    def __init__(self, clip: FrozenCLIP, pool: ScenePool, batch: int, steps: int, seed: int) -> None:
        self.clip, self.pool, self.batch, self.seed = clip, pool, batch, seed
        self.first_of_scenes = first_step_of_scenes(steps)

    def __call__(self, step: int) -> Losses:
        """Draw crops, or scenes with their regions, and compare every image with every sentence."""
        rng = np.random.default_rng([self.seed, step])
        if step >= self.first_of_scenes and rng.random() < REGIONS:
            return self._of_regions(rng)
        return self._of_crops(rng)

    def _of_crops(self, rng: np.random.Generator) -> Losses:
        crops = draw_crops(rng, self.pool, self.batch, SIZES[rng.integers(len(SIZES))])
        vectors = encode_images(self.clip.clip_model, crops.images)  # (B, E)
        return {"crops": contrastive_loss(self._logits(vectors, crops.sentences), crops.true)}

    def _of_regions(self, rng: np.random.Generator) -> Losses:
        size = SCENE_SIZES[rng.integers(len(SCENE_SIZES))]
        regions = draw_regions(rng, self.pool, scenes_of_step(self.batch), size)
        vectors, seen = encode_regions(self.clip.clip_model, regions)  # (R, E), (R,)
        if not seen.any():  # few scenes, and small things in them
            return self._of_crops(rng)
        logits = self._logits(vectors, regions.sentences)
        return {"regions": contrastive_loss(logits[seen], regions.true[seen])}

    def _logits(self, vectors: Tensor, sentences: Sequence[str]) -> Tensor:
        """Return how near (…, E) vectors and sentences are, as CLIP scales it."""
        model = self.clip.clip_model
        words = F.normalize(encode_text(model, self.clip.tokenizer(sentences)), dim=-1)  # (M, E)
        scale = model.logit_scale.exp().clamp(max=LARGEST_SCALE)
        return scale * F.normalize(vectors, dim=-1) @ words.T


def first_step_of_scenes(steps: int) -> int:
    """Return the step, counted from 0, from which on whole scenes are shown."""
    return int(CROPS_ALONE * steps)


def scenes_of_step(batch: int) -> int:
    """Return how many scenes a step shows in the place of a batch of crops."""
    return max(1, batch // CROPS_A_SCENE)


def open_layer_scales(model: nn.Module) -> None:
    """Let every residual block act from the first step on.

    ConvNeXt's layer scales begin at 1e-6, for very deep trunks: a small one would spend a short training on leaving
    the identity.
    """
    for name, value in model.named_parameters():
        if name.endswith(".gamma"):
            nn.init.constant_(value, LAYER_SCALE)


def encode_images(model: nn.Module, images: Tensor) -> Tensor:
    """Encode images (B, 3, S, S), 0-255 RGB, into (B, E), not normalised."""
    return model.encode_image(_normalise(images))


def encode_regions(model: nn.Module, regions: Regions) -> tuple[Tensor, Tensor]:
    """Pool regions from the maps of their scenes, as FrozenSeg does at test.

    Returns:
        (R, E), not normalised; and (R,) bool, which of them the coarse map has a cell for.
    """
    dense = model.visual.trunk.forward_features(_normalise(regions.images))  # (B, c, S/32, S/32)
    pooled = mask_pooling(dense, 2 * regions.masks.float() - 1)[regions.present]  # (R, c)
    return apply_heads(model.visual, pooled), pooled.ne(0).any(dim=-1)


def _normalise(images: Tensor) -> Tensor:
    return ((images - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def contrastive_loss(logits: Tensor, true: Tensor) -> Tensor:
    """Return how improbable the true sentences are of each image, the mean of −log of their summed probability.

    Only images choose among sentences: as many images share a sentence here, choosing among images in turn, or asking
    for the same probability of all true ones, would make everything alike.

    Args:
        logits: (R, M) images or regions × sentences.
        true: (R, M) bool; each image has a true sentence at least.
    """
    of_true = logits.masked_fill(~true, -torch.inf).logsumexp(dim=1)  # (R,)
    return (logits.logsumexp(dim=1) - of_true).mean()
