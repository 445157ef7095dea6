"""Run folder: the settings of a run over images, and a record of each finished image, so that the run can be resumed.

::

    OUTPUT/.frozenseg/run.json              settings of the run
    OUTPUT/.frozenseg/records/NAME.json     record of a finished image, with the names of its files
    OUTPUT/.frozenseg/results.json          names of the files about all images

A record is written after the files of its image, so an image without a record is done again. A run with other settings
is refused, as its results would be mixed with those in the folder.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frozenseg.atomic import remove_leftovers, write_json
from frozenseg.errors import ConfigError
from frozenseg.inference.sources.files import RUN_FOLDER
from frozenseg.log import get_logger

logger = get_logger(__name__)
RUN_FORM = 1  # of the files in the folder
LONGEST_NAME = 180  # bytes of the last part of a record's name; longer ones are shortened
LONGEST_VALUE = 80  # characters of a setting in a message
WRITTEN_FILES = "files"  # key of the names of written files
ImageRecord = dict[str, Any]


class RunFolder:
    """Records of the finished images of a run.

    Args:
        folder: output folder of the run.
        flag: by which the user names it, for messages.
    """

    def __init__(self, folder: str | Path, flag: str = "--output") -> None:
        self.folder, self.flag = Path(folder), flag
        self._settings_file = self.folder / RUN_FOLDER / "run.json"
        self._records = self.folder / RUN_FOLDER / "records"
        self._results_file = self.folder / RUN_FOLDER / "results.json"

    def open(self, settings: Mapping[str, Any], overwrite: bool = False) -> None:
        """Write the settings of a new run, or check that they are those of the run in the folder.

        Args:
            settings: values for JSON, by the name of their flag or of what they are.
            overwrite: forget the finished images of an earlier run, whatever its settings, and delete its files.

        Raises:
            ConfigError: the folder has a run with other settings, or cannot be written.
        """
        current = _as_json(settings)
        try:
            if overwrite and self._records.is_dir():
                self._delete_files()
                shutil.rmtree(self._records)
            if not overwrite and self._settings_file.is_file():
                self._refuse_others(self._read_settings(), current)
                remove_leftovers(self.folder)
            else:
                write_json(self._settings_file, current, indent=2)
        except OSError as error:
            raise ConfigError(
                f"{self.flag} {self.folder} cannot be written ({error.strerror or error}): choose another folder."
            ) from error

    def has(self, settings: Mapping[str, Any]) -> bool:
        """Return True if the folder has a run with the same settings."""
        try:
            return self._settings_file.is_file() and self._read_settings() == _as_json(settings)
        except ConfigError:
            return False

    def record(self, name: str, version: str) -> ImageRecord | None:
        """Return the record of a finished image; None if it has none, or one of another version of the image.

        Args:
            name: of the image.
            version: of its content, see :class:`~frozenseg.inference.sources.source_image.PendingImage`.
        """
        path = self._record_file(name)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            logger.warning("%s is damaged (%s): the image is done again.", path, error)
            return None
        if not isinstance(content, dict) or content.get("version") != version:
            return None
        return content

    def save(self, name: str, version: str, record: Mapping[str, Any], files: Sequence[Path] = ()) -> None:
        """Write the record of an image whose files are written.

        Args:
            name: of the image.
            version: of its content.
            record: of the image.
            files: of the image.

        Raises:
            OSError: it cannot be written.
        """
        names = self._names(files)
        write_json(self._record_file(name), {**record, "name": name, "version": version, WRITTEN_FILES: names})

    def save_results(self, files: Sequence[Path]) -> None:
        """Write the names of the files about all images.

        Raises:
            OSError: it cannot be written.
        """
        write_json(self._results_file, {WRITTEN_FILES: self._names(files)})

    def _names(self, files: Sequence[Path]) -> list[str]:
        """Return the paths of files relative to the folder, each once."""
        return list(dict.fromkeys(path.relative_to(self.folder).as_posix() for path in files))

    def _delete_files(self) -> None:
        """Delete the files of the run in the folder, and folders that are empty then.

        Raises:
            OSError: a file cannot be deleted.
        """
        folders: set[Path] = set()
        for path in (*self._records.rglob("*.json"), self._results_file):
            for name in _listed_files(path):
                file = self.folder / name
                if ".." not in Path(name).parts and not Path(name).is_absolute():
                    file.unlink(missing_ok=True)
                    folders.update(parent for parent in file.parents if self.folder in parent.parents)
        for folder in sorted(folders, key=lambda each: -len(each.parts)):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def _record_file(self, name: str) -> Path:
        head, _, last = name.rpartition("/")
        content = os.fsencode(last)
        if len(content) > LONGEST_NAME:
            last = content[: LONGEST_NAME // 2].decode("utf-8", "ignore") + hashlib.sha256(content).hexdigest()
        return self._records / head / f"{last}.json"

    def _read_settings(self) -> dict[str, Any]:
        try:
            content = json.loads(self._settings_file.read_text(encoding="utf-8"))
            if not isinstance(content, dict):
                raise ValueError("no JSON object")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{self._settings_file} cannot be read ({error}): give --overwrite to do all images again, or choose "
                f"another {self.flag}."
            ) from error
        return content

    def _refuse_others(self, earlier: Mapping[str, Any], current: Mapping[str, Any]) -> None:
        keys = [key for key in {**earlier, **current} if earlier.get(key) != current.get(key)]
        if keys:
            differences = "; ".join(
                f"{key}: {_shown(earlier.get(key))} there, {_shown(current.get(key))} now" for key in keys
            )
            raise ConfigError(
                f"{self.flag} {self.folder} has the results of another run ({differences}): choose another "
                f"{self.flag}, or give --overwrite to do all images again."
            )


def _listed_files(path: Path) -> list[str]:
    """Return the names of files in a record; none if it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    names = content.get(WRITTEN_FILES) if isinstance(content, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they are read from a file."""
    content: dict[str, Any] = json.loads(json.dumps({"form": RUN_FORM, **settings}))
    return content


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
