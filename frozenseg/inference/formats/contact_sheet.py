"""Contact sheet: ``index.html`` with all images and their segments, in the order of the input."""

from collections.abc import Iterable
from pathlib import Path

from frozenseg.inference.formats.image_page import write_page, write_thumbnails
from frozenseg.inference.formats.output_format import OutputFormat, OutputImage, OutputRecord
from frozenseg.inference.result import Result


class ContactSheet(OutputFormat):
    """A page of thumbnails that can be searched by file and class name."""

    name = "html"
    description = "index.html: a contact sheet of all images with their segments"

    def write(self, image: OutputImage, result: Result) -> OutputRecord:
        """Write the thumbnails of an image."""
        return write_thumbnails(self.folder, image, result, self.options)

    def finish(self, records: Iterable[OutputRecord]) -> list[Path]:
        """Write the page."""
        path = self.folder / "index.html"
        values = {"title": self.options.title, "introduction": "Images in the order of the input."}
        names = self.classes.vocabulary.names
        colours = dict(zip(names, self.classes.colours, strict=True))
        write_page(path, records, {**values, "is_review": False, "key": "", "colours": colours})
        return [path]


OUTPUT_FORMAT = ContactSheet
