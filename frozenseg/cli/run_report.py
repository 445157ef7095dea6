"""Report of a run over images: counts, skipped images with their reasons, and the files to open."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from frozenseg.atomic import replacing
from frozenseg.inference.image_run import RunReport

SKIPPED_FILE = "skipped.tsv"
MAX_CLASSES_SHOWN = 12  # classes in the report for people


class RunFiles(NamedTuple):
    """Results of a run.

    Attributes:
        folder: of the output.
        files: files or folders to open, by format or purpose.
        segments: number of segments of each class that has one, the most frequent first.
        absent: classes without a segment.
    """

    folder: Path
    files: Mapping[str, list[Path]]
    segments: Mapping[str, int]
    absent: Sequence[str]


def report_text(report: RunReport, results: RunFiles) -> str:
    """Return the report for people: counts, classes, and the files to open."""
    folder, files = results.folder, results.files
    counts = [f"{report.done} {_images(report.done)} segmented"]
    counts += [f"{report.resumed} finished before"] if report.resumed else []
    counts += [f"{len(report.skipped)} skipped ({folder / SKIPPED_FILE})"] if report.skipped else []
    width = max(map(len, files), default=0)
    rows = [f"  {name:{width}}  {path}" for name, paths in files.items() for path in paths]
    classes = [f"segments: {_listed([f'{count} {name}' for name, count in results.segments.items()])}"]
    classes += [f"no segment: {_listed(results.absent)}"] if results.absent else []
    return "\n".join([f"{', '.join(counts)}; results in {folder}", *rows, *classes])


def report_json(report: RunReport, results: RunFiles) -> dict[str, Any]:
    """Return the report for programs."""
    return {
        "output": str(results.folder),
        "done": report.done,
        "finished_before": report.resumed,
        "skipped": [{"name": name, "reason": reason} for name, reason in report.skipped.items()],
        "files": {name: [str(path) for path in paths] for name, paths in results.files.items()},
        "segments": dict(results.segments),
        "absent": list(results.absent),
    }


def print_report(text: str, content: Mapping[str, Any], as_json: bool) -> None:
    """Print a report to standard output."""
    printable = text.encode("utf-8", "backslashreplace").decode("utf-8")  # paths may have bytes of another encoding
    sys.stdout.write(f"{json.dumps(content, indent=2) if as_json else printable}\n")


def write_skipped(path: Path, skipped: Mapping[str, str]) -> None:
    """Write the reasons of skipped images; without any, remove those of an earlier call."""
    if not skipped:
        path.unlink(missing_ok=True)
        return
    rows = "".join(f"{name}\t{' '.join(reason.split())}\n" for name, reason in skipped.items())
    with replacing(path) as temporary:
        temporary.write_text(f"image\treason\n{rows}", encoding="utf-8", errors="backslashreplace")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MAX_CLASSES_SHOWN]) or "none"
    return shown if len(names) <= MAX_CLASSES_SHOWN else f"{shown} and {len(names) - MAX_CLASSES_SHOWN} more"


def _images(count: int) -> str:
    return "image" if count == 1 else "images"
