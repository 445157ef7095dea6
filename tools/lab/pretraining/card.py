"""Trained encoders as small files, each with a card that says how it came about."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tabulate import tabulate
from torch import Tensor, nn

from frozenseg.atomic import write_tensors, write_text
from lab.pretraining.scores import Scores


@dataclass(frozen=True)
class Card:
    """What is to be known of weights.

    Attributes:
        title: one line.
        lines: what it is and what it was trained on, a paragraph each.
        command: that makes it again.
        minutes: of training, this run.
        scores: what it can do.
    """

    title: str
    lines: Sequence[str]
    command: str
    minutes: float
    scores: Scores

    def text(self, model: nn.Module) -> str:
        """Return the card in Markdown."""
        count = sum(value.numel() for value in model.parameters())
        threads = torch.get_num_threads()
        machine = (
            f"{threads} CPU {'thread' if threads == 1 else 'threads'}, Python {platform.python_version()}, "
            f"torch {torch.__version__}"
        )
        return "\n\n".join(
            [
                f"# {self.title}",
                *self.lines,
                f"Parameters: {f'{count:,}'.replace(',', ' ')}, kept in float16.",
                f"Made by `{self.command}` in {self.minutes:.0f} minutes on {machine}.",
                "Scores in percent, on pictures of ToyWorld's zero-shot test that it was not trained on:",
                scores_table(self.scores),
            ]
        )


def scores_table(scores: Scores) -> str:
    """Return scores as a Markdown table."""
    rows = [[what, who, f"{value:.1f}"] for what, values in scores.items() for who, value in sorted(values.items())]
    return tabulate(rows, headers=["score", "of", "percent"], tablefmt="github", disable_numparse=True)


def save_weights(file: Path, weights: Mapping[str, Tensor]) -> None:
    """Write weights in float16, other numbers as they are, as safetensors.

    Raises:
        OSError: the disk refuses.
    """
    write_tensors(file, {name: value.half() if value.is_floating_point() else value for name, value in weights.items()})


def save(file: Path, model: nn.Module, card: Card) -> None:
    """Write ``NAME.safetensors``, and the card beside it as ``NAME.md``."""
    save_weights(file, model.state_dict())
    write_text(file.with_suffix(".md"), card.text(model))
