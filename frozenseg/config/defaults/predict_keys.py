"""Keys of PREDICT: outputs of the segmenter for people; evaluation keeps the published rules."""

from frozenseg.config.bounds import SWITCH, between
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
    Key("PREDICT.MIN_SCORE", 0.0, "output", between(0, 1), "lowest score of the segmenter's instances, 0-1"),
)
