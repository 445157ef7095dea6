"""Time what the page of the server computes: an image with its first class names, changed names, and clicks.

Each round takes a new session: the features of the image with the first vocabulary, then one changed name, then other
names on the same image, then clicks. Printed are medians over the rounds, wall time and processor time of the process;
the second is steadier on a machine that others use, too. With random weights all queries compete in the panoptic map,
with trained ones few: --competing N makes all but N of them void.

Examples:
  ToyWorld's model in the package:
    python tools/benchmark_page.py

  an FC-CLIP of full size with random weights, minutes on a CPU:
    python tools/benchmark_page.py --config fcclip/r50 --size 480 640 --rounds 3 --competing 20
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from frozenseg.cli.command_line import docstring_parser, run_script, whole_number_flag

if TYPE_CHECKING:
    from frozenseg.inference.predictor import Segmenter

FIRST = "cat; dog; bird; house; tree; car; boat; person; stuff: sky; stuff: grass"
FIRST_NAME, OTHER_NAMES = "cat", "chair; table; lamp; window; sofa; plant; book; cup; stuff: wall; stuff: floor"
RANDOM = ["MODEL.CLIP.CLIP_PRETRAINED_WEIGHTS", "random", "MODEL.WEIGHTS", ""]
TIMED = ("image and first names", "one changed name", "other names")


class Duration(NamedTuple):
    """Seconds of a step."""

    wall: float
    processor: float


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and measure.

    Args:
        argv: arguments; None for those of the process.
    """
    parser = docstring_parser(__doc__)
    parser.add_argument("--config", help="config of a model with random CLIP weights; without it --weights")
    parser.add_argument("--weights", default="toyworld", help="name or file (default: toyworld)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:N or auto (default: cpu)")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(384, 384), metavar=("H", "W"), help="image size (default: 384 384)"
    )
    parser.add_argument("--rounds", type=whole_number_flag(1, 1000, "rounds"), default=5, help="(default: 5)")
    parser.add_argument("--competing", type=whole_number_flag(1, 1000, "competing"), help="queries (default: all)")
    parser.add_argument("--clicks", type=whole_number_flag(1, 1000, "clicks"), default=10, help="of a round")
    arguments = parser.parse_args(argv)
    return run_script(lambda: measure(arguments))


def measure(arguments: argparse.Namespace) -> int:
    """Measure all rounds and print a table.

    Args:
        arguments: of the command line.
    """
    from frozenseg.inference.predictor import Segmenter

    if arguments.config:
        segmenter = Segmenter.from_config(arguments.config, device=arguments.device, options=RANDOM)
    else:
        segmenter = Segmenter.from_pretrained(arguments.weights, device=arguments.device)
    if arguments.competing:
        from lab.competing_queries import let_compete

        let_compete(segmenter.model, int(arguments.competing))
    rounds = [measure_round(segmenter, arguments, number) for number in range(int(arguments.rounds) + 1)][1:]
    first = _median(rounds, TIMED[0])
    print(f"{'step':24} {'wall ms':>9} {'processor ms':>13} {'faster':>8}  (medians of {len(rounds)} rounds)")
    for name in rounds[0]:
        duration = _median(rounds, name)
        faster = f"{first.processor / duration.processor:7.1f}×" if name in TIMED[1:] else ""
        print(f"{name:24} {1000 * duration.wall:9.1f} {1000 * duration.processor:13.1f} {faster:>8}")
    return 0


def measure_round(segmenter: "Segmenter", arguments: argparse.Namespace, number: int) -> dict[str, Duration]:
    """Return the durations of the steps of a round, by name; a click has the mean over the clicks.

    Args:
        segmenter: the model.
        arguments: of the command line.
        number: of the round, which makes its names new.
    """
    from frozenseg.serving.name_memory import NameMemory
    from frozenseg.serving.session_model import empty_edits, model_has_sam, predict_session
    from frozenseg.serving.sessions import SessionStore
    from frozenseg.toyworld.samples import sample_scene

    height, width = arguments.size
    image = sample_scene(4, max(height, width)).resize((width, height))
    memory = NameMemory(segmenter.model.text_classifier)
    session = SessionStore().open(image, empty_edits(image))
    first = f"{FIRST}; thing {number}"
    vocabularies = (first, first.replace(FIRST_NAME, f"animal {number}"), f"{OTHER_NAMES}; object {number}")
    durations: dict[str, Duration] = {}
    for name, names in zip(TIMED, vocabularies, strict=True):
        vocabulary = segmenter.vocabulary_of(names)
        work = partial(predict_session, segmenter, session, vocabulary, "panoptic", memory=memory)
        durations[name] = timed(work)
    if model_has_sam(segmenter):
        durations |= measure_clicks(segmenter, session, int(arguments.clicks))
    return durations


def measure_clicks(segmenter: "Segmenter", session: Any, clicks: int) -> dict[str, Duration]:
    """Return the durations of the first click, and of the mean of others; half of them have a negative point.

    Args:
        segmenter: the model.
        session: with the features of an image.
        clicks: number of clicks.
    """
    from frozenseg.modeling.sam.prompted_masks import MaskPrompt
    from frozenseg.serving.session_model import prompt_session

    width, height = session.image.size
    durations = []
    for click in range(clicks + 1):
        point = (width * (0.2 + 0.6 * click / clicks), height * (0.8 - 0.6 * click / clicks))
        signs = (True, False)[: 1 + click % 2]
        prompt = MaskPrompt((point, (1.0, 1.0))[: len(signs)], signs)
        durations.append(timed(partial(prompt_session, segmenter, session, prompt)))
    walls, processors = zip(*durations[1:], strict=True)
    return {"first click": durations[0], "click": Duration(statistics.mean(walls), statistics.mean(processors))}


def timed(work: Callable[[], object]) -> Duration:
    """Return the seconds of a call.

    Args:
        work: to call once.
    """
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return Duration(time.perf_counter() - wall, time.process_time() - processor)


def _median(rounds: Sequence[dict[str, Duration]], name: str) -> Duration:
    return Duration(*(statistics.median(each[name][index] for each in rounds) for index in (0, 1)))


if __name__ == "__main__":
    raise SystemExit(main())
