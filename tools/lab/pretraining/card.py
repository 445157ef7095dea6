"""Weight files of pretrained encoders, with model cards: training settings and scores."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tabulate import tabulate
from torch import Tensor

from frozenseg.atomic import write_tensors, write_text
from lab.pretraining.scores import Scores


@dataclass(frozen=True)
class Card:
    """Model card of a weight file.

    Attributes:
        title: heading.
        lines: paragraphs on the architecture and the training.
        command: the command that reproduces the weights.
        minutes: duration of the training.
        scores: in percent.
    """

    title: str
    lines: Sequence[str]
    command: str
    minutes: float
    scores: Scores

    def text(self, weights: Mapping[str, Tensor]) -> str:
        """Return the card of weights as Markdown."""
        count = sum(value.numel() for value in weights.values() if value.is_floating_point())
        threads = torch.get_num_threads()
        machine = (
            f"{threads} CPU {'thread' if threads == 1 else 'threads'}, Python {platform.python_version()}, "
            f"torch {torch.__version__}"
        )
        return "\n\n".join(
            [
                f"# {self.title}",
                *self.lines,
                f"Parameters: {f'{count:,}'.replace(',', ' ')}, stored in float16.",
                f"Trained by `{self.command}` in {self.minutes:.0f} minutes on {machine}.",
                "Scores in percent, on images of ToyWorld's zero-shot split, which are not in the training data:",
                scores_table(self.scores),
            ]
        )


def scores_table(scores: Scores) -> str:
    """Return scores as a Markdown table."""
    rows = [
        [score, group, f"{value:.1f}"] for score, values in scores.items() for group, value in sorted(values.items())
    ]
    return tabulate(rows, headers=["score", "of", "percent"], tablefmt="github", disable_numparse=True)


def save_weights(file: Path, weights: Mapping[str, Tensor]) -> None:
    """Write weights to a safetensors file, with floating-point tensors in float16.

    Raises:
        OSError: The file cannot be written.
    """
    write_tensors(file, {name: value.half() if value.is_floating_point() else value for name, value in weights.items()})


def save(file: Path, weights: Mapping[str, Tensor], card: Card) -> None:
    """Write weights to ``NAME.safetensors`` and the card to ``NAME.md`` in the same folder."""
    save_weights(file, weights)
    write_text(file.with_suffix(".md"), card.text(weights))
