"""What every image has contributed, line by line as it happens, so that an evaluation that is cut off can go on."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from frozenseg.errors import DataError
from frozenseg.structures.label_files import image_name

PATTERN = "journal_*.jsonl"


class ResumeLog:
    """Notes contributions in a file of this process, as an observer of the evaluation.

    The first line says what is evaluated, each other one what an image contributes. A line that a kill has cut short is
    the last one of its file and is passed over.

    Args:
        folder: of the benchmark; each process has a file of its own in it.
        rank: this process.
        about: what the contributions depend on, as JSON can hold it: config, weights, words.
    """

    def __init__(self, folder: str | Path, rank: int, about: Mapping[str, Any]) -> None:
        path = Path(folder) / f"journal_{rank}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        torn = path.is_file() and not path.read_bytes().endswith(b"\n")
        self._file = path.open("a", encoding="utf-8")
        if torn:
            self._file.write("\n")
        if self._file.tell() == 0:
            self._write({"about": about})

    def observe(self, record: dict[str, Any], output: dict[str, Any], contribution: Any) -> None:
        """Note an image."""
        del output
        self._write({"image": image_name(record), "contribution": contribution})

    def write_kept_image(self, entry: dict[str, Any]) -> None:
        """Note an image that the gallery has taken in."""
        self._write({"kept": entry})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, content: Any) -> None:
        self._file.write(json.dumps(content) + "\n")
        self._file.flush()  # into the hands of the operating system, which outlives this process


def read_resume_logs(folder: str | Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the images of an earlier evaluation contributed, by image name, from the journals of all processes.

    Args:
        folder: of the benchmark.
        about: what contributions depend on now.

    Raises:
        DataError: the earlier evaluation was another one.
    """
    found: dict[str, Any] = {}
    for path in sorted(Path(folder).glob(PATTERN)):
        for line in _lines(path):
            if "about" in line:
                _check(path, line["about"], json.loads(json.dumps(about)))
            elif "image" in line:
                found[line["image"]] = line["contribution"]
    return found


def read_kept_images(folder: str | Path) -> Iterator[dict[str, Any]]:
    """Yield what the galleries of all processes have taken in, in the order in which each did."""
    for path in sorted(Path(folder).glob(PATTERN)):
        yield from (line["kept"] for line in _lines(path) if "kept" in line)


def delete_resume_logs(folder: str | Path) -> None:
    """Delete the journals of a benchmark."""
    for path in Path(folder).glob(PATTERN):
        path.unlink()


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue  # cut short; its image is evaluated again
        yield line


def _check(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if changed:
        raise DataError(
            f"{path} is of another evaluation: {', '.join(changed)} differ. Leave out --resume to begin afresh, or "
            "choose another OUTPUT_DIR."
        )
