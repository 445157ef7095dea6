"""Keys of PREDICT: outputs of the segmenter for people; evaluation keeps the published rules."""

from frozenseg.config.bounds import NAME, SWITCH, above, between, whole
from frozenseg.config.defaults.key import Key

PREDICT_KEYS: tuple[Key, ...] = (
    Key(
        "PREDICT.SEVERAL_CLASSES_PER_QUERY",
        False,
        "output",
        SWITCH,
        "let the segmenter return an object under several class names, as benchmarks score instances",
    ),
    Key(
        "PREDICT.MASK_NMS",
        0.8,
        "output",
        between(0, 1),
        "IoU of masks above which the segmenter drops the instance with the lower score, of any class; 1: none",
    ),
    Key(
        "PREDICT.NEGATIVES_UP_TO",
        2,
        "output",
        whole(0, 100_000, "classes"),
        "largest vocabulary of the segmenter whose classes compete with negatives, so that an image without them has "
        "no segment; 0: never",
    ),
    Key(
        "PREDICT.NEGATIVE_NAMES",
        "",
        "output",
        NAME,
        "the negatives: names such as 'person; wall,fence', or a benchmark such as 'coco'; empty: common classes, or "
        "those of the CLIP in the model zoo",
    ),
    Key(
        "PREDICT.NEGATIVE_WEIGHT",
        0.3,
        "output",
        above(0, 1),
        "prior odds of the negatives; the lower, the more masks keep a class of the vocabulary",
    ),
    Key(
        "PREDICT.MIN_EVIDENCE",
        0.1,
        "output",
        between(0, 1),
        "class probability of its best mask below which the segmenter reports a class as absent, 0-1",
    ),
    Key(
        "PREDICT.BACKGROUND_NAMES",
        "background; other",
        "output",
        NAME,
        "classes that catch the rest: their pixels have no label in the segmenter's results",
    ),
    Key(
        "PREDICT.AUTO_NAMES",
        "",
        "output",
        NAME,
        "named vocabularies whose union the vocabulary 'auto' ranks, such as 'coco; lvis'; empty: all large ones, or "
        "that of the CLIP in the model zoo",
    ),
    Key(
        "PREDICT.AUTO_EVIDENCE",
        0.25,
        "output",
        between(0, 1),
        "evidence of a mask and the image from which the vocabulary 'auto' uses the best name of the mask, 0-1",
    ),
    Key(
        "PREDICT.AUTO_IMAGE_WEIGHT",
        0.5,
        "output",
        between(0, 1),
        "weight of the evidence of the whole image beside that of the mask, for the vocabulary 'auto'; 0: masks alone",
    ),
    Key("PREDICT.MIN_SCORE", 0.0, "output", between(0, 1), "lowest score of the segmenter's instances, 0-1"),
)
