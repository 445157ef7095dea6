"""Review page: ``review.html`` with the least certain images first, to mark those whose labels are wrong.

The certainty of an image is the mean score of its segments; an image without segments has 0. Marks stay in the browser,
under the address of the page and the class names; the page saves the names of marked images as a text file, one a line.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from frozenseg.inference.formats.image_page import write_page, write_thumbnails
from frozenseg.inference.formats.output_format import OutputFormat, OutputImage, OutputRecord
from frozenseg.inference.result import Result


class ReviewPage(OutputFormat):
    """A page of thumbnails, the least certain image first."""

    name = "review"
    description = "review.html: the least certain images first, to look through and mark"

    def write(self, image: OutputImage, result: Result) -> OutputRecord:
        """Write the thumbnails of an image."""
        return write_thumbnails(self.folder, image, result, self.options)

    def finish(self, records: Iterable[OutputRecord]) -> list[Path]:
        """Write the page."""
        path = self.folder / "review.html"
        ordered = sorted(records, key=lambda record: float(record["certainty"]))  # stable: then as in the input
        values = {
            "title": f"{self.options.title}: review",
            "introduction": "The least certain images first: the mean score of their segments is the lowest.",
            "is_review": True,
            "key": hashlib.sha256("\n".join(self.classes.vocabulary.names).encode()).hexdigest()[:16],
            "colours": dict(zip(self.classes.vocabulary.names, self.classes.colours, strict=True)),
        }
        write_page(path, ordered, values)
        return [path]


OUTPUT_FORMAT = ReviewPage
