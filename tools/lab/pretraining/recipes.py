"""How each encoder is built, trained and scored, and the run that does so."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

from frozenseg.errors import CheckpointError, ConfigError
from frozenseg.log import get_logger
from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.frozen import Frozen
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.sam.build import build_sam
from frozenseg.toyworld.scenes import Scene
from frozenseg.toyworld.shipped import CLIP_NAME, SAM_NAME
from lab.pretraining.card import Card, save
from lab.pretraining.clip import (
    CROPS_ALONE,
    REGIONS,
    SLOW_RATE,
    TEXT_TOWER,
    ContrastiveStep,
    first_step_of_scenes,
    open_layer_scales,
    scenes_of_step,
)
from lab.pretraining.optimise import LossesOfStep, Schedule, StateFile, optimise
from lab.pretraining.sam import PointPromptStep
from lab.pretraining.scene_pool import ScenePool, paint_pool
from lab.pretraining.scores import Scores, clip_scores, sam_scores, zero_shot_scenes

logger = get_logger(__name__)
TRAINED_ON = (
    "Its scenes have all colours, patterns, shapes and materials in all combinations, also those that `toyworld_train` "
    "never shows; none of them is a picture of ToyWorld's own splits."
)


@dataclass(frozen=True)
class Amounts:
    """How much is trained.

    Attributes:
        steps: of training.
        batch: crops (CLIP; whole scenes are a tenth as many) or scenes (SAM) a step.
        learning_rate: the highest.
        scenes: to learn from.
        seed: of weights, scenes and batches.
    """

    steps: int
    batch: int
    learning_rate: float
    scenes: int = 4000
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what trains nothing.

        Raises:
            ConfigError: a number below its least.
        """
        for name, least in {"steps": 1, "batch": 2, "scenes": 8, "seed": 0}.items():
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}: give {least} or more.")
        if self.learning_rate <= 0:
            raise ConfigError(f"The learning rate is {self.learning_rate}: give a number above 0, such as 0.001.")


class PretrainingRecipe(ABC):
    """An encoder of ToyWorld.

    Attributes:
        name: of its files.
        usual: what is trained without being told otherwise.
    """

    name: ClassVar[str]
    usual: ClassVar[Amounts]

    @abstractmethod
    def build(self, weights: str) -> Frozen:
        """Return the encoder with weights from a file, or ``random:SEED``."""

    @abstractmethod
    def trainable(self, encoder: Frozen) -> nn.Module:
        """Return the module inside that is trained and saved."""

    @abstractmethod
    def step(self, encoder: Frozen, pool: ScenePool, amounts: Amounts) -> LossesOfStep:
        """Return what computes the losses of a step."""

    def schedule(self, amounts: Amounts) -> Schedule:
        """Return how fast is learned."""
        return Schedule(amounts.steps, amounts.learning_rate)

    @abstractmethod
    def scores(self, encoder: Frozen, scenes: Sequence[Scene]) -> Scores:
        """Return what the encoder knows of scenes."""

    @abstractmethod
    def describe(self, amounts: Amounts) -> tuple[str, ...]:
        """Return title and paragraphs of its card."""


class ClipRecipe(PretrainingRecipe):
    """The CLIP: a small ConvNeXt and a small text tower, by contrast."""

    name = "clip"
    usual = Amounts(steps=6250, batch=128, learning_rate=2e-3)

    def build(self, weights: str) -> FrozenCLIP:
        """Build it."""
        return build_clip(CLIP_NAME, weights)

    def trainable(self, encoder: FrozenCLIP) -> nn.Module:
        """Return the open_clip model, its kernels laid out as CPUs like them."""
        open_layer_scales(encoder.clip_model)
        return encoder.clip_model.to(memory_format=torch.channels_last)

    def schedule(self, amounts: Amounts) -> Schedule:
        """Let the words change slowly: those that images do not tell apart yet would become one, and stay so."""
        restart = first_step_of_scenes(amounts.steps)
        return super().schedule(amounts)._replace(restart=restart, slow=TEXT_TOWER, slow_rate=SLOW_RATE)

    def step(self, encoder: FrozenCLIP, pool: ScenePool, amounts: Amounts) -> LossesOfStep:
        """Compare crops and regions with sentences."""
        return ContrastiveStep(encoder, pool, amounts.batch, amounts.steps, amounts.seed)

    def scores(self, encoder: FrozenCLIP, scenes: Sequence[Scene]) -> Scores:
        """Let it name things and regions."""
        return clip_scores(encoder, scenes)

    def describe(self, amounts: Amounts) -> tuple[str, ...]:
        """Say what it is."""
        return (
            "ToyWorld's CLIP",
            f"An `open_clip` model, `{CLIP_NAME}`.",
            f"Trained from nothing by contrast (after Radford et al. 2021) on {amounts.scenes} scenes: {amounts.steps} "
            f"steps, seed {amounts.seed}. A step of the first {100 * CROPS_ALONE:.0f} % shows {amounts.batch} crops, "
            f"mostly tight ones of one thing; of the others, {100 * REGIONS:.0f} % show "
            f"{scenes_of_step(amounts.batch)} whole scenes, with a sentence about every region, whose vector is "
            "pooled from CLIP's map under the region's true mask. Sentences name things and materials, or a thing's "
            f"shape, colour or pattern alone, half of them in CLIP's usual templates. {TRAINED_ON}",
        )


class SamRecipe(PretrainingRecipe):
    """The SAM: the package's own classes, small, by points on masks without classes."""

    name = "sam"
    usual = Amounts(steps=8000, batch=8, learning_rate=1.5e-3, scenes=3000)
    points = 8  # of each scene in a step
    first_cosine = 0.375  # share of the steps

    def build(self, weights: str) -> FrozenSAM:
        """Build it."""
        return build_sam(SAM_NAME, weights)

    def trainable(self, encoder: FrozenSAM) -> nn.Module:
        """Return all of it."""
        return encoder

    def schedule(self, amounts: Amounts) -> Schedule:
        """Let the learning rate fall and rise once: SAM goes on learning for long."""
        return super().schedule(amounts)._replace(restart=int(self.first_cosine * amounts.steps))

    def step(self, encoder: FrozenSAM, pool: ScenePool, amounts: Amounts) -> LossesOfStep:
        """Ask for masks at points."""
        return PointPromptStep(encoder, pool, amounts.batch, self.points, amounts.seed)

    def scores(self, encoder: FrozenSAM, scenes: Sequence[Scene]) -> Scores:
        """Let it find regions."""
        return sam_scores(encoder, scenes)

    def describe(self, amounts: Amounts) -> tuple[str, ...]:
        """Say what it is."""
        return (
            "ToyWorld's SAM",
            f"A small model of `segment_anything`'s own classes, `{SAM_NAME}`.",
            f"Trained from nothing with points on masks that have no class (Kirillov et al. 2023): {amounts.steps} "
            f"steps of {amounts.batch} of {amounts.scenes} scenes, {self.points} points in each, seed {amounts.seed}. "
            f"{TRAINED_ON}",
        )


RECIPES: dict[str, PretrainingRecipe] = {recipe.name: recipe for recipe in (ClipRecipe(), SamRecipe())}


def pretrain(
    recipe: PretrainingRecipe, amounts: Amounts, folder: Path, command: str, test_count: int = 100, workers: int = 1
) -> Scores:
    """Train an encoder, score it, and write ``NAME.safetensors`` and its card ``NAME.md``.

    Args:
        recipe: which one.
        amounts: how much.
        folder: of the files; also of the state of a run that was stopped, which goes on.
        command: for the card.
        test_count: scenes that it is scored on.
        workers: processes that paint scenes.

    Raises:
        CheckpointError: the folder cannot be written, or holds the state of another run.
        ConfigError: it is to be scored on no scene.
    """
    schedule = recipe.schedule(amounts)
    state_file = StateFile(folder / f".{recipe.name}.state.pt", f"{recipe.name} {amounts} {schedule}")
    scenes = zero_shot_scenes(test_count)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        state_file.read()  # another run's is refused before the scenes are painted
        encoder = recipe.build(f"random:{amounts.seed}")
        model = recipe.trainable(encoder).requires_grad_(True)
        pool = paint_pool(amounts.seed, amounts.scenes, workers)
        seconds = optimise(model, recipe.step(encoder, pool, amounts), schedule, state_file)
        encoder.freeze()
        scores = recipe.scores(encoder, scenes)
        title, *lines = recipe.describe(amounts)
        save(folder / f"{recipe.name}.safetensors", model, Card(title, lines, command, seconds / 60, scores))
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written ({error}): make room, or choose another folder.") from error
    return scores
