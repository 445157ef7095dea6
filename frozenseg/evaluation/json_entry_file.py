"""JSON file of entries about images that several processes and several resumed runs write together."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from frozenseg import distributed
from frozenseg.atomic import write_json
from frozenseg.structures.json_files import read_json
from frozenseg.structures.record import ImageId

ImageEntry = dict[str, Any]


class JsonEntryFile:
    """JSON file of entries with ``image_id``, merged from one hidden file per image.

    Args:
        path: of the JSON file.
        field: key of the list of entries; empty if the file is the list.
        resume: keep existing entries; otherwise they are deleted.
    """

    def __init__(self, path: Path, field: str, resume: bool) -> None:
        self.path, self.field = path, field
        self.parts = path.with_name(f".{path.stem}_parts")
        if not resume and distributed.is_main_process():
            path.unlink(missing_ok=True)
            self._delete_parts()
        distributed.barrier()  # no process writes before the old entries are deleted

    def put(self, image: ImageId, entries: list[ImageEntry]) -> None:
        """Store the entries of an image."""
        write_json(self.parts / f"{quote(str(image), safe='')}.json", {"image_id": image, "entries": entries})

    def merge(self) -> None:
        """Write the JSON file: existing entries, with those of the images stored since replaced or added."""
        distributed.barrier()  # all processes have stored theirs
        if distributed.is_main_process():
            parts = [read_json(part, "predictions") for part in self.parts.glob("*.json")]
            new: dict[ImageId, list[ImageEntry]] = {part["image_id"]: part["entries"] for part in parts}
            entries = [entry for entry in self._existing() if entry["image_id"] not in new]
            entries += [entry for of_image in new.values() for entry in of_image]
            entries.sort(key=lambda entry: str(entry["image_id"]))
            write_json(self.path, {self.field: entries} if self.field else entries)
            self._delete_parts()
        distributed.barrier()

    def _existing(self) -> list[ImageEntry]:
        if not self.path.is_file():
            return []
        content = read_json(self.path, "predictions")
        entries: list[ImageEntry] = content[self.field] if self.field else content
        return entries

    def _delete_parts(self) -> None:
        if self.parts.is_dir():
            shutil.rmtree(self.parts)
