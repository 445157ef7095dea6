"""A JSON file of entries about images, written when all have passed, and whole even where this took several runs."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from frozenseg import distributed
from frozenseg.atomic import write_json
from frozenseg.evaluation.prediction_file_metrics.scores import read_json


class Entries:
    """A JSON file of entries with ``image_id``, put together from a hidden file for each image.

    Args:
        path: the JSON file.
        field: where the list stands in it; empty: at the top.
        resume: keep what is there.
    """

    def __init__(self, path: Path, field: str, resume: bool) -> None:
        self.path, self.field = path, field
        self.parts = path.with_name(f".{path.stem}_parts")
        if not resume and distributed.is_main_process():
            path.unlink(missing_ok=True)
            self._forget_parts()
        distributed.barrier()  # nobody writes before that

    def put(self, image: Any, entries: list[dict[str, Any]]) -> None:
        """Keep the entries of an image."""
        write_json(self.parts / f"{quote(str(image), safe='')}.json", {"image_id": image, "entries": entries})

    def gather(self) -> None:
        """Write the JSON file: what stands in it, but for the images that have passed since, and these."""
        distributed.barrier()  # all have put theirs
        if distributed.is_main_process():
            parts = [read_json(part, "predictions") for part in self.parts.glob("*.json")]
            new = {part["image_id"]: part["entries"] for part in parts}
            entries = [entry for entry in self._earlier() if entry["image_id"] not in new]
            entries += [entry for of_image in new.values() for entry in of_image]
            entries.sort(key=lambda entry: str(entry["image_id"]))
            write_json(self.path, {self.field: entries} if self.field else entries)
            self._forget_parts()
        distributed.barrier()

    def _earlier(self) -> list[dict[str, Any]]:
        if not self.path.is_file():
            return []
        content = read_json(self.path, "predictions")
        return content[self.field] if self.field else content

    def _forget_parts(self) -> None:
        if self.parts.is_dir():
            shutil.rmtree(self.parts)
