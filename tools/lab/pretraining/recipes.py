"""Recipes of the pretrained encoders (build, train, score, describe), and the pretraining run."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from frozenseg.errors import CheckpointError, ConfigError
from frozenseg.log import get_logger
from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.clip.token_rows import keep_token_rows
from frozenseg.modeling.frozen import Frozen
from frozenseg.modeling.pretrained import TOYWORLD_CLIP, TOYWORLD_SAM, TOYWORLD_TINY_SAM
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.sam.build import build_sam
from frozenseg.toyworld.scenes import Scene
from lab.pretraining.card import Card, save
from lab.pretraining.clip import (
    CROPS_ONLY,
    REGIONS,
    SLOW_RATE,
    TEXT_TOWER,
    ContrastiveStep,
    first_step_of_scenes,
    open_layer_scales,
    scenes_of_step,
)
from lab.pretraining.optimise import LossesOfStep, ResumeFile, Schedule, optimise
from lab.pretraining.pixel_groups import GroupedPromptStep
from lab.pretraining.sam import PointPromptStep
from lab.pretraining.scene_pool import ScenePool, render_pool
from lab.pretraining.scores import Scores, clip_scores, sam_scores, zero_shot_scenes
from lab.pretraining.sentences import tokens_of_sentences

logger = get_logger(__name__)
Encoder = TypeVar("Encoder", bound=Frozen)
TRAINED_ON = (
    "Its scenes have all colours, patterns, shapes and materials in all combinations, also those that are absent from "
    "`toyworld_train`; none of them is in a split of ToyWorld."
)


@dataclass(frozen=True)
class Amounts:
    """Amount of training.

    Attributes:
        steps: training steps.
        batch: crops (CLIP; a tenth as many whole scenes) or scenes (SAM) per step.
        learning_rate: highest learning rate.
        scenes: number of training scenes.
        seed: of weights, scenes and batches.
    """

    steps: int
    batch: int
    learning_rate: float
    scenes: int = 4000
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: A value is below its minimum.
        """
        for name, minimum in {"steps": 1, "batch": 2, "scenes": 8, "seed": 0}.items():
            if getattr(self, name) < minimum:
                raise ConfigError(f"{name} is {getattr(self, name)}: at least {minimum} is needed.")
        if self.learning_rate <= 0:
            raise ConfigError(f"The learning rate is {self.learning_rate}: give a number above 0, such as 0.001.")


class PretrainingRecipe(ABC, Generic[Encoder]):
    """Base of the recipes.

    Attributes:
        name: file name of weights and card.
        defaults: default amount of training.
    """

    name: ClassVar[str]
    defaults: ClassVar[Amounts]

    @abstractmethod
    def build(self, weights: str) -> Encoder:
        """Return the encoder with weights from a file, or with ``random:SEED``."""

    @abstractmethod
    def trainable(self, encoder: Encoder) -> nn.Module:
        """Return the module of the encoder that is trained and saved."""

    def saved(self, encoder: Encoder, model: nn.Module) -> dict[str, Tensor]:
        """Return the weights of the trained module for the file, by name."""
        del encoder
        return dict(model.state_dict())

    @abstractmethod
    def step(self, encoder: Encoder, pool: ScenePool, amounts: Amounts) -> LossesOfStep:
        """Return the function from a step number to its losses."""

    def schedule(self, amounts: Amounts) -> Schedule:
        """Return steps and learning rates."""
        return Schedule(amounts.steps, amounts.learning_rate)

    @abstractmethod
    def scores(self, encoder: Encoder, scenes: Sequence[Scene]) -> Scores:
        """Return the scores of the encoder on scenes."""

    @abstractmethod
    def describe(self, amounts: Amounts) -> tuple[str, ...]:
        """Return the title and the paragraphs of the model card."""


class ClipRecipe(PretrainingRecipe[FrozenCLIP]):
    """ToyWorld's CLIP: a small ConvNeXt and a small text tower, trained by contrast."""

    name = "clip"
    defaults = Amounts(steps=6250, batch=128, learning_rate=2e-3)

    def build(self, weights: str) -> FrozenCLIP:
        """Build it."""
        return build_clip(TOYWORLD_CLIP, weights)

    def trainable(self, encoder: FrozenCLIP) -> nn.Module:
        """Return the open_clip model, in the memory format that is fastest on CPUs."""
        open_layer_scales(encoder.clip_model)
        return encoder.clip_model.to(memory_format=torch.channels_last)

    def schedule(self, amounts: Amounts) -> Schedule:
        """Return a schedule with a slow text tower: words that images do not separate yet would collapse into one."""
        restart = first_step_of_scenes(amounts.steps)
        return super().schedule(amounts)._replace(restart=restart, slow=TEXT_TOWER, slow_rate=SLOW_RATE)

    def saved(self, encoder: FrozenCLIP, model: nn.Module) -> dict[str, Tensor]:
        """Return the weights with the rows of the token embedding that occur in the sentences."""
        return keep_token_rows(model.state_dict(), tokens_of_sentences(encoder.tokenizer))

    def step(self, encoder: FrozenCLIP, pool: ScenePool, amounts: Amounts) -> LossesOfStep:
        """Return the contrastive losses of crops and regions."""
        return ContrastiveStep(encoder, pool, amounts.batch, amounts.steps, amounts.seed)

    def scores(self, encoder: FrozenCLIP, scenes: Sequence[Scene]) -> Scores:
        """Return the accuracy on things and regions."""
        return clip_scores(encoder, scenes)

    def describe(self, amounts: Amounts) -> tuple[str, ...]:
        """Say what it is."""
        return (
            "ToyWorld's CLIP",
            f"An `open_clip` model, `{TOYWORLD_CLIP}`.",
            f"Trained from scratch by contrast (after Radford et al. 2021) on {amounts.scenes} scenes: {amounts.steps} "
            f"steps, seed {amounts.seed}. The first {100 * CROPS_ONLY:.0f} % of the steps use {amounts.batch} crops, "
            f"mostly tight ones of one thing; {100 * REGIONS:.0f} % of the others use {scenes_of_step(amounts.batch)} "
            "whole scenes with a sentence per region, and region embeddings pooled from CLIP's feature map under the "
            "ground truth masks. Sentences name things and materials, or only a thing's shape, colour or pattern, half "
            f"of them in CLIP's prompt templates. {TRAINED_ON}",
        )


class SamRecipe(PretrainingRecipe[FrozenSAM]):
    """ToyWorld's SAM: a small model of segment_anything's classes, trained with points on class-agnostic masks."""

    name = "sam"
    defaults = Amounts(steps=8000, batch=8, learning_rate=1.5e-3, scenes=3000)
    points = 8  # per scene and step
    first_cosine = 0.375  # share of the steps

    def build(self, weights: str) -> FrozenSAM:
        """Build it."""
        return build_sam(TOYWORLD_SAM, weights)

    def trainable(self, encoder: FrozenSAM) -> nn.Module:
        """Return the whole model."""
        return encoder

    def schedule(self, amounts: Amounts) -> Schedule:
        """Return a schedule with a restart, because SAM improves over many steps."""
        return super().schedule(amounts)._replace(restart=int(self.first_cosine * amounts.steps))

    def step(self, encoder: FrozenSAM, pool: ScenePool, amounts: Amounts) -> LossesOfStep:
        """Return the losses of masks at points."""
        return PointPromptStep(encoder, pool, amounts.batch, self.points, amounts.seed)

    def scores(self, encoder: FrozenSAM, scenes: Sequence[Scene]) -> Scores:
        """Return mIoU and recall of regions."""
        return sam_scores(encoder, scenes)

    def describe(self, amounts: Amounts) -> tuple[str, ...]:
        """Say what it is."""
        return (
            "ToyWorld's SAM",
            f"A small model of the classes of `segment_anything`, `{TOYWORLD_SAM}`.",
            f"Trained from scratch by points on class-agnostic masks (Kirillov et al. 2023): {amounts.steps} steps of "
            f"{amounts.batch} of {amounts.scenes} scenes with {self.points} points each, seed {amounts.seed}. "
            f"{TRAINED_ON}",
        )


class GroupedSamRecipe(SamRecipe):
    """A SAM for ToyWorld with a TinyViT, whose encoder first learns groups of pixels."""

    name = "sam_t"
    defaults = Amounts(steps=6000, batch=8, learning_rate=1.5e-3, scenes=3000)
    first_cosine = 0.3  # share of the steps, with groups of pixels only

    def build(self, weights: str) -> FrozenSAM:
        """Build it."""
        return build_sam(TOYWORLD_TINY_SAM, weights)

    def trainable(self, encoder: FrozenSAM) -> nn.Module:
        """Return its parts in a container with the same names, which can be in training mode, unlike a frozen SAM."""
        return nn.ModuleDict(dict(encoder.named_children()))

    def step(self, encoder: FrozenSAM, pool: ScenePool, amounts: Amounts) -> LossesOfStep:
        """Return the losses of groups of pixels, and of masks at points after the first cosine."""
        first_of_masks = self.schedule(amounts).restart
        return GroupedPromptStep(encoder, pool, amounts.batch, first_of_masks, amounts.seed)

    def describe(self, amounts: Amounts) -> tuple[str, ...]:
        """Say what it is."""
        return (
            "A SAM for ToyWorld with a TinyViT",
            f"A small model of the classes of `segment_anything` with a TinyViT encoder, `{TOYWORLD_TINY_SAM}`.",
            f"Trained from scratch on class-agnostic masks: {amounts.steps} steps of {amounts.batch} of "
            f"{amounts.scenes} scenes, seed {amounts.seed}. In the first {100 * self.first_cosine:.0f} % of the steps "
            "the encoder and the upscaling of the mask decoder learn to group the pixels of a segment; then also masks "
            "at points "
            f"(Kirillov et al. 2023), with cross-entropy and dice loss of equal weight. {TRAINED_ON}",
        )


RECIPES: dict[str, PretrainingRecipe[Any]] = {
    recipe.name: recipe for recipe in (ClipRecipe(), SamRecipe(), GroupedSamRecipe())
}


def pretrain(
    recipe: PretrainingRecipe[Encoder],
    amounts: Amounts,
    folder: Path,
    command: str,
    test_count: int = 100,
    workers: int = 1,
) -> Scores:
    """Train an encoder, score it, and write ``NAME.safetensors`` and its model card ``NAME.md``.

    Args:
        recipe: of the encoder.
        amounts: of training.
        folder: for weights, card, and the checkpoint from which an interrupted run resumes.
        command: for the card.
        test_count: number of test scenes.
        workers: processes that render scenes.

    Raises:
        CheckpointError: The folder cannot be written, or has the checkpoint of another run.
        ConfigError: ``test_count`` is below 1.
    """
    schedule = recipe.schedule(amounts)
    resume_file = ResumeFile(folder / f".{recipe.name}.state.pt", f"{recipe.name} {amounts} {schedule}")
    scenes = zero_shot_scenes(test_count)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        resume_file.read()  # the checkpoint of another run is refused before the scenes are rendered
        encoder = recipe.build(f"random:{amounts.seed}")
        model = recipe.trainable(encoder).requires_grad_(True)
        pool = render_pool(amounts.seed, amounts.scenes, workers)
        seconds = optimise(model, recipe.step(encoder, pool, amounts), schedule, resume_file)
        encoder.freeze()
        scores = recipe.scores(encoder, scenes)
        title, *lines = recipe.describe(amounts)
        card = Card(title, lines, command, seconds / 60, scores)
        save(folder / f"{recipe.name}.safetensors", recipe.saved(encoder, model), card)
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written ({error}): make room, or choose another folder.") from error
    return scores
