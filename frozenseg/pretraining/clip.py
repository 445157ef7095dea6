"""ToyWorld's CLIP: images and sentences that belong together end at the same place (after Radford et al. 2021).

Letters: B crops, E the width of the joint space.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frozenseg.modeling.clip.base import FrozenCLIP, encode_text
from frozenseg.pretraining.crops import draw_crops
from frozenseg.pretraining.optimise import Losses
from frozenseg.pretraining.scene_pool import ScenePool

SIZES = (64, 64, 96)  # side of a step's crops, pixels, one of them drawn for each step
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
        batch: B.
        seed: of the crops.
    """

    def __init__(self, clip: FrozenCLIP, pool: ScenePool, batch: int, seed: int) -> None:
        self.clip, self.pool, self.batch, self.seed = clip, pool, batch, seed

    def __call__(self, step: int) -> Losses:
        """Draw crops and compare every image with every sentence."""
        rng = np.random.default_rng([self.seed, step])
        crops = draw_crops(rng, self.pool, self.batch, SIZES[rng.integers(len(SIZES))])
        model = self.clip.clip_model
        images = F.normalize(encode_images(model, crops.images), dim=-1)  # (B, E)
        sentences = F.normalize(encode_text(model, self.clip.tokenizer(crops.sentences)), dim=-1)  # (B, E)
        scale = model.logit_scale.exp().clamp(max=LARGEST_SCALE)
        return {"contrast": contrastive_loss(scale * images @ sentences.T, crops.true)}


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
    normalised = ((images - MEAN) / STD).contiguous(memory_format=torch.channels_last)
    return model.encode_image(normalised)


def contrastive_loss(logits: Tensor, true: Tensor) -> Tensor:
    """Return how improbable the true sentences are of each image, the mean of −log of their summed probability.

    Only images choose among sentences: as many images share a sentence here, choosing among images in turn, or asking
    for the same probability of all true ones, would make everything alike.

    Args:
        logits: (B, B) images × sentences.
        true: (B, B) bool; each image has a true sentence at least.
    """
    of_true = logits.masked_fill(~true, -torch.inf).logsumexp(dim=1)  # (B,)
    return (logits.logsumexp(dim=1) - of_true).mean()
