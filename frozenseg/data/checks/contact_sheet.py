"""Contact sheet of a data set: a few images beside their annotations, for a visual check before a long training.

Letters: H×W an image.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from frozenseg.data.class_maps import NO_CLASS, AnnotationRules, read_class_map
from frozenseg.data.metadata import Metadata
from frozenseg.data.record_images import read_record_image
from frozenseg.errors import DataError
from frozenseg.structures.record import Record
from frozenseg.visualization.drawing_size import size_in_column
from frozenseg.visualization.image_grid import COLUMN_WIDTH, GridRow, image_grid
from frozenseg.visualization.legend import LegendEntry
from frozenseg.visualization.overlay import legend_colours, nearest_pixels, overlay_labels

SHEET_HEADERS = ("image", "annotation", "classes, largest first")
BLACK = (0, 0, 0)  # of pixels without annotation


def contact_sheet(records: Sequence[Record], metadata: Metadata) -> Image.Image:
    """Draw images beside their annotations, with a legend; unlabelled pixels are black.

    The row of an image that cannot be read shows the error message.

    Args:
        records: one for each row, from top to bottom.
        metadata: metadata of the data set, with ``vocabulary`` and ``colors``.
    """
    rules = AnnotationRules.from_metadata(metadata)
    return image_grid([_row(record, metadata, rules) for record in records], SHEET_HEADERS)


def _row(record: Record, metadata: Metadata, rules: AnnotationRules) -> GridRow:
    title = str(record.get("image_id", record["file_name"]))
    try:
        image = read_record_image(record)
        classes = read_class_map(record, rules, (image.height, image.width))  # (H, W)
    except DataError as error:
        return GridRow(title, message=str(error))
    size = size_in_column(image.size, COLUMN_WIDTH)
    image = image.resize(size, Image.Resampling.BILINEAR)
    shrunk = nearest_pixels(classes, (size[1], size[0]))
    colours, names = metadata.colors, metadata.vocabulary.names
    swatches = legend_colours(image, [shrunk], colours)
    labels, counts = np.unique(classes, return_counts=True)
    legend = [
        LegendEntry(names[label], (swatches[label],))
        for label in labels[np.argsort(-counts)].tolist()
        if label != NO_CLASS
    ]
    return GridRow(title, [image, overlay_labels(image, shrunk, colours, unlabelled=BLACK)], legend)
