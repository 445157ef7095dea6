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
        "the negatives, such as 'person; wall,fence'; empty: common classes, or those of ToyWorld for its CLIP",
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
        "PREDICT.AUTO_EVIDENCE",
        0.1,
        "output",
        between(0, 1),
        "class probability of a mask at which its best name is used by the vocabulary 'auto', 0-1",
    ),
    Key("PREDICT.MIN_SCORE", 0.0, "output", between(0, 1), "lowest score of the segmenter's instances, 0-1"),
)
