"""Contrastive training of ToyWorld's CLIP (after Radford et al. 2021).

The first part of the steps uses tight crops of things, until the model distinguishes shapes; most of the later steps
use whole scenes with a sentence per region (after RegionCLIP, Zhong et al. 2022). Unlike a large network, one of this
size does not learn to classify the regions of a scene from crops alone.

Letters: B images, S image size in pixels, R regions of all images, M sentences, c channels of the trunk's last map,
E embedding width.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from open_clip import CLIP
from torch import Tensor, nn

from frozenseg.modeling.clip.base import FrozenCLIP, encode_text
from frozenseg.modeling.clip.convnext import apply_heads
from frozenseg.modeling.layers.mask_pooling import mask_pooling
from lab.pretraining.crops import draw_crops
from lab.pretraining.optimise import Losses
from lab.pretraining.regions import Regions, draw_regions
from lab.pretraining.scene_pool import ScenePool

CROPS_ONLY = 0.4  # share of the steps, at the start
REGIONS = 0.8  # share of the later steps with whole scenes
CROP_SIZES = (64, 64, 96)  # pixels; one is drawn for each step
SCENE_SIZES = (224, 256, 256, 288)  # pixels, for whole scenes
CROPS_PER_SCENE = 10  # that many crops cost about as much time as a scene
LARGEST_SCALE = 100.0
LAYER_SCALE = 0.5
TEXT_TOWER = ("transformer", "token_embedding", "positional_embedding", "ln_final", "text_projection")
SLOW_RATE = 0.1  # factor on the learning rate of the text tower
MEAN = torch.tensor([122.7709383, 116.7460125, 104.09373615]).view(3, 1, 1)  # CLIP's, RGB, 0-255
STD = torch.tensor([68.5005327, 66.6321579, 70.32316305]).view(3, 1, 1)


class ContrastiveStep:
    """Losses of a training step, as a function of its number.

    Args:
        clip: wrapper of the trained model.
        pool: training scenes.
        batch: crops per step.
        steps: of the whole training.
        seed: of crops and scenes.
    """

    def __init__(self, clip: FrozenCLIP, pool: ScenePool, batch: int, steps: int, seed: int) -> None:
        self.clip, self.pool, self.batch, self.seed = clip, pool, batch, seed
        self.first_of_scenes = first_step_of_scenes(steps)

    def __call__(self, step: int) -> Losses:
        """Return the contrastive loss of random crops, or of random scenes with their regions."""
        rng = np.random.default_rng([self.seed, step])
        if step >= self.first_of_scenes and rng.random() < REGIONS:
            return self._of_regions(rng)
        return self._of_crops(rng)

    def _of_crops(self, rng: np.random.Generator) -> Losses:
        crops = draw_crops(rng, self.pool, self.batch, CROP_SIZES[rng.integers(len(CROP_SIZES))])
        embeddings = encode_images(self.clip.clip_model, crops.images)  # (B, E)
        return {"crops": contrastive_loss(self._logits(embeddings, crops.sentences), crops.true)}

    def _of_regions(self, rng: np.random.Generator) -> Losses:
        size = SCENE_SIZES[rng.integers(len(SCENE_SIZES))]
        regions = draw_regions(rng, self.pool, scenes_of_step(self.batch), size)
        embeddings, covered = encode_regions(self.clip.clip_model, regions)  # (R, E), (R,)
        if not covered.any():  # a small batch in which all regions are small things
            return self._of_crops(rng)
        logits = self._logits(embeddings, regions.sentences)
        return {"regions": contrastive_loss(logits[covered], regions.true[covered])}

    def _logits(self, embeddings: Tensor, sentences: Sequence[str]) -> Tensor:
        """Return the scaled cosine similarities (…, M) of image embeddings (…, E) and sentences."""
        model = self.clip.clip_model
        text_embeddings = F.normalize(encode_text(model, self.clip.tokenizer(sentences)), dim=-1)  # (M, E)
        scale = model.logit_scale.exp().clamp(max=LARGEST_SCALE)
        return scale * F.normalize(embeddings, dim=-1) @ text_embeddings.T


def first_step_of_scenes(steps: int) -> int:
    """Return the first step, counted from 0, that may use whole scenes."""
    return int(CROPS_ONLY * steps)


def scenes_of_step(batch: int) -> int:
    """Return the number of scenes of a step with the same cost as a batch of crops."""
    return max(1, batch // CROPS_PER_SCENE)


def open_layer_scales(model: nn.Module) -> None:
    """Raise the initial layer scales, so that every residual block has an effect from the first step on.

    ConvNeXt initialises them to 1e-6, for very deep trunks; a short training of a small trunk would mostly raise them.
    """
    for name, value in model.named_parameters():
        if name.endswith(".gamma"):
            nn.init.constant_(value, LAYER_SCALE)


def encode_images(model: CLIP, images: Tensor) -> Tensor:
    """Return the embeddings (B, E), not normalised, of images (B, 3, S, S), RGB in 0-255."""
    return model.encode_image(_normalise(images))


def encode_regions(model: CLIP, regions: Regions) -> tuple[Tensor, Tensor]:
    """Pool region embeddings from the feature maps of their scenes, as FrozenSeg does in evaluation.

    Returns:
        Embeddings (R, E), not normalised, and a mask (R,) bool of the regions that cover a cell of the feature map.
    """
    dense = model.visual.trunk.forward_features(_normalise(regions.images))  # (B, c, S/32, S/32)
    pooled = mask_pooling(dense, 2 * regions.masks.float() - 1)[regions.present]  # (R, c)
    return apply_heads(model.visual, pooled), pooled.ne(0).any(dim=-1)


def _normalise(images: Tensor) -> Tensor:
    return ((images - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def contrastive_loss(logits: Tensor, true: Tensor) -> Tensor:
    """Return the mean of −log of the summed probability of the true sentences of each image.

    Unlike CLIP's loss it has no softmax over images: many images share a sentence here, and a softmax over them, or
    equal target probabilities for all true sentences, would make all embeddings alike.

    Args:
        logits: (R, M) images or regions × sentences.
        true: (R, M) bool; each image has at least one true sentence.
    """
    true_logits = logits.masked_fill(~true, -torch.inf).logsumexp(dim=1)  # (R,)
    return (logits.logsumexp(dim=1) - true_logits).mean()
