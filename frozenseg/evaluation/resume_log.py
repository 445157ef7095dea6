"""Log of the contributions of all images, from which an interrupted evaluation resumes.

One file per process, ``journal_<rank>.jsonl``. Its first line describes the evaluation, each other line holds the
contribution of one image or an image of the gallery. Only its last line can be incomplete, after a kill; such a line is
ignored.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from frozenseg.errors import DataError
from frozenseg.structures.output_kinds import ModelOutput
from frozenseg.structures.record import Record, image_name

PATTERN = "journal_*.jsonl"
Json = dict[str, Any]


class ResumeLog:
    """Observer of an evaluation that writes the contributions of this process's images.

    Args:
        folder: of the benchmark.
        rank: of this process.
        about: JSON values that the contributions depend on: config, weights, vocabulary.
    """

    def __init__(self, folder: str | Path, rank: int, about: Mapping[str, Any]) -> None:
        path = Path(folder) / f"journal_{rank}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        incomplete = path.is_file() and not path.read_bytes().endswith(b"\n")
        self._file = path.open("a", encoding="utf-8")
        if incomplete:
            self._file.write("\n")
        if self._file.tell() == 0:
            self._write({"about": about})

    def observe(self, record: Record, output: ModelOutput, contribution: object) -> None:
        """Write the contribution of an image."""
        del output
        self._write({"image": image_name(record), "contribution": contribution})

    def write_kept_image(self, entry: Json) -> None:
        """Write an image that was added to the gallery."""
        self._write({"kept": entry})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, content: Json) -> None:
        self._file.write(json.dumps(content) + "\n")
        self._file.flush()  # to the operating system, which outlives this process


def read_resume_logs(folder: str | Path, about: Mapping[str, Any]) -> Json:
    """Read the contributions of an earlier evaluation from the logs of all its processes.

    Args:
        folder: of the benchmark.
        about: JSON values that the contributions depend on now.

    Returns:
        Contributions by image name.

    Raises:
        DataError: the earlier evaluation depended on other values.
    """
    contributions: Json = {}
    for path in sorted(Path(folder).glob(PATTERN)):
        for line in _lines(path):
            if "about" in line:
                _check(path, line["about"], json.loads(json.dumps(about)))
            elif "image" in line:
                contributions[line["image"]] = line["contribution"]
    return contributions


def read_kept_images(folder: str | Path) -> Iterator[Json]:
    """Yield the gallery's entries of all processes, in the order in which each process added them."""
    for path in sorted(Path(folder).glob(PATTERN)):
        yield from (line["kept"] for line in _lines(path) if "kept" in line)


def delete_resume_logs(folder: str | Path) -> None:
    """Delete the logs of a benchmark."""
    for path in Path(folder).glob(PATTERN):
        path.unlink()


def _lines(path: Path) -> Iterator[Json]:
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line: Json = json.loads(text)
        except json.JSONDecodeError:
            continue  # incomplete; its image is evaluated again
        yield line


def _check(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if changed:
        raise DataError(
            f"{path} belongs to another evaluation: {', '.join(changed)} differ. Omit --resume to start again, or "
            "choose another OUTPUT_DIR."
        )
