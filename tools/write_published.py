r"""Write what follows from the table of released models: README's "Models", configs/published and docs/reproduce.md.

Examples:
  write the tables and the configs after a change of frozenseg/modeling/model_zoo/models.yaml:
    python tools/write_published.py

  name the files that differ, and write nothing; the exit code is 2 if there are any:
    python tools/write_published.py --check
"""

import argparse
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from frozenseg.atomic import write_text
from frozenseg.cli.command_line import docstring_parser, run_script
from frozenseg.errors import FrozenSegError
from frozenseg.modeling.model_zoo.weights import ZooModel, ZooScore, zoo_benchmarks, zoo_models

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "configs/published"
COLUMNS = {
    "ade20k": ("PQ", "AP", "mIoU"),
    "cityscapes": ("PQ", "AP", "mIoU"),
    "mapillary_vistas": ("PQ", "mIoU"),
    "a847": ("mIoU",),
    "pc59": ("mIoU",),
    "pc459": ("mIoU",),
    "pas21": ("mIoU",),
    "pas20": ("mIoU",),
    "coco": ("PQ", "AP", "mIoU"),
}
DAGGER = "†"  # marks scores with the mask-proposal ensemble
BEGIN, END = "<!-- models: begin -->\n", "<!-- models: end -->"  # around the table of a page


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    parser = docstring_parser(__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, metavar="DIR", help="the clone (default: this one)")
    parser.add_argument("--check", action="store_true", help="write nothing; refuse files that differ from the table")
    arguments = parser.parse_args(argv)
    return run_script(lambda: update(arguments))


def update(arguments: argparse.Namespace) -> None:
    """Write all files that differ from the table, or refuse them."""
    root: Path = arguments.root
    files = {root / name: text for name, text in expected_files(root).items()}
    differing = [path for path, text in files.items() if _read(path) != text]
    surplus = sorted({*(root / FOLDER).rglob("*.yaml")} - files.keys())
    if arguments.check and (differing or surplus):
        names = ", ".join(str(path.relative_to(root)) for path in [*differing, *surplus])
        raise FrozenSegError(
            f"These files differ from frozenseg/modeling/model_zoo/models.yaml: {names}. "
            "Change the table, then run python tools/write_published.py."
        )
    for path in differing:
        write_text(path, files[path])
        print(f"wrote {path.relative_to(root)}")
    for path in surplus:
        path.unlink()
        print(f"removed {path.relative_to(root)}")


def expected_files(root: Path) -> dict[str, str]:
    """Return the text of every file by its path in the clone; of the pages only the marked part is replaced."""
    files = {f"{FOLDER}/{name}.yaml": text for model in zoo_models() for name, text in published_configs(model)}
    for name, table in (("README.md", score_table()), ("docs/reproduce.md", config_table())):
        before, begin, rest = (root / name).read_text(encoding="utf-8").partition(BEGIN)
        files[name] = f"{before}{begin}{table}\n{END}{rest.partition(END)[2]}"
    return files


def score_table() -> str:
    """Return the Markdown table of all models and their published scores."""
    titles = {name: benchmark.title for name, benchmark in zoo_benchmarks().items()}
    headers = ["model", *(f"{titles[name]} {' / '.join(metrics)}" for name, metrics in COLUMNS.items())]
    rows = [
        (f"[{model.title}](configs/{model.config}.yaml)", *(_cell(model, *column) for column in COLUMNS.items()),
         "*published*", f"[address]({model.url})", model.licence)
        for model in zoo_models()
    ]  # fmt: skip
    return _markdown([*headers, "scores", "checkpoint", "licence"], rows)


def config_table() -> str:
    """Return the Markdown table of the folders of configs, with checkpoint and selection rule."""
    rows = []
    for model in zoo_models():
        names = [f"`{name.rpartition('/')[2]}`" for name, _ in published_configs(model)]
        rows.append((f"`{model.name}`", f"[{model.title}]({model.url})", model.selection, ", ".join(names)))
    headers = [f"folder in `{FOLDER}`", "checkpoint", "selection", "configs"]
    return _markdown(headers, rows)


def published_configs(model: ZooModel) -> Iterator[tuple[str, str]]:
    """Yield name and text of a config for each benchmark of a model, with and without SAM's masks."""
    for key in dict.fromkeys((score.benchmark, score.sam_masks) for score in model.scores):
        scores = [score for score in model.scores if (score.benchmark, score.sam_masks) == key]
        name = f"{model.name}/{key[0]}{'_sam_masks' if key[1] else ''}"
        yield name, _config(name, model, scores)


def _config(name: str, model: ZooModel, scores: Sequence[ZooScore]) -> str:
    first = scores[0]
    masks = " with the mask-proposal ensemble" if first.sam_masks else ""
    sources = " and ".join(dict.fromkeys(score.source for score in scores))
    keys = ["  USE_SAM_MASKS: True", "  SAM_MASK_POOLING: released", "  SAM_MASK_BGR: True"] if first.sam_masks else []
    lines = [
        f"# python tools/train_net.py --eval-only --config-file {FOLDER}/{name}.yaml --weights FILE",
        f"# {model.title} on {zoo_benchmarks()[first.benchmark].title}{masks}; expected: as published ({sources}).",
        f"_BASE_: [../../{model.config}.yaml, ../../eval/{first.benchmark}.yaml]",
        "DATASETS:",
        "  SEEN_RULE: published",
        "TEST:",
        *keys,
        "  EXPECTED_RESULTS:",
        *(f"    - [{score.task}, {score.metric}, {score.value}, {score.tolerance}]" for score in scores),
    ]
    return "\n".join(lines) + "\n"


def _cell(model: ZooModel, benchmark: str, metrics: Sequence[str]) -> str:
    """Return the scores of one benchmark; those with the mask-proposal ensemble, as in README, before those without."""
    scores = sorted(
        (score for score in model.scores if score.benchmark == benchmark), key=lambda score: score.sam_masks
    )
    by_metric = {score.metric: score for score in scores}  # the last one, with masks, stays
    if not scores:
        return "–"
    return " / ".join(_number(by_metric[metric]) if metric in by_metric else "–" for metric in metrics)


def _markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (headers, ["---"] * len(headers), *rows))


def _number(score: ZooScore) -> str:
    rounded = Decimal(str(score.value)).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return f"{rounded}{DAGGER if score.sam_masks else ''}"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    raise SystemExit(main())
