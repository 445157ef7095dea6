"""Keys of TEST: evaluation, test-time augmentation and SAM proposals."""

from frozenseg.config.bounds import MAX_SIDE, NESTED_LISTS, PATH, PERIOD, SWITCH, between, list_of, one_of, whole
from frozenseg.config.defaults.key import Key

TEST_KEYS: tuple[Key, ...] = (
    # Evaluation
    Key("TEST.DETECTIONS_PER_IMAGE", 100, "result", whole(1, 100_000, "instances"), "instances kept for each image"),
    Key("TEST.EVAL_PERIOD", 0, "output", PERIOD, "training iterations between evaluations; 0: only at the end"),
    Key("TEST.COMPARE", False, "output", SWITCH, "show published results beside ours", engine_only=True),
    Key(
        "TEST.AUG.ENABLED",
        False,
        "result",
        SWITCH,
        "test-time augmentation: mean of the semantic scores over several sizes of an image and its mirror image",
    ),
    Key(
        "TEST.AUG.MIN_SIZES",
        list(range(400, 1300, 100)),
        "result",
        list_of(whole(1, MAX_SIDE, "pixels"), 1, 100),
        "shortest edges of the sizes, pixels",
    ),
    Key("TEST.AUG.MAX_SIZE", 4000, "result", whole(1, MAX_SIDE, "pixels"), "longest edge of every size, pixels"),
    Key("TEST.AUG.FLIP", True, "result", SWITCH, "include the mirror image of each size"),
    # SAM proposals
    Key(
        "TEST.USE_SAM_MASKS",
        False,
        "result",
        SWITCH,
        "let SAM proposals vote for unseen classes in semantic segmentation",
    ),
    Key("TEST.SAM_MASK_PRED_ALPHA", 0.2, "result", between(0, 1), "weight of the proposal votes, 0-1"),
    Key(
        "TEST.SAM_MASK_THRESHOLD",
        0.5,
        "result",
        between(0, 1),
        "probability of the best unseen class above which a proposal votes, 0-1",
    ),
    Key(
        "TEST.SAM_MASK_POOLING",
        "aligned",
        "result",
        one_of("aligned", "released"),
        "pooling of CLIP's features under the proposals: aligned, or released: shrunk toward the upper left corner, as "
        "published results were made",
    ),
    Key(
        "TEST.SAM_MASKS_IN_PANOPTIC",
        False,
        "result",
        SWITCH,
        "use proposals as candidates in panoptic segmentation, too",
    ),
    Key(
        "TEST.SAM_MASKS_IN_INSTANCES",
        False,
        "result",
        SWITCH,
        "use proposals as instances, too, if no query predicts the same object",
    ),
    Key(
        "TEST.SAM_MASK_POINTS",
        32,
        "result",
        whole(1, 256, "points"),
        "point prompts for SAM along each side of the image",
    ),
    Key(
        "TEST.SAM_MASK_MIN_IOU",
        0.8,
        "result",
        between(0, 1),
        "predicted IoU above which a mask of SAM is a proposal, 0-1; 0 for all",
    ),
    Key(
        "TEST.SAM_MASK_STABILITY_OFFSET",
        1.0,
        "result",
        between(0, 10),
        "a mask of SAM is a proposal if it hardly changes between thresholds of its logits that differ from 0 by this",
    ),
    Key(
        "TEST.SAM_MASK_BGR",
        False,
        "result",
        SWITCH,
        "give SAM the image with red and blue swapped, as the released masks were made",
    ),
    Key(
        "TEST.SAM_MASK_BF16",
        False,
        "result",
        SWITCH,
        "generate proposals in bfloat16: faster, slightly different masks",
    ),
    Key("TEST.SAM_MASK_CACHE", "", "cost", PATH, "folder that caches proposals between runs; empty: no cache"),
    Key(
        "TEST.SAM_MASK_CACHE_GIB", 20.0, "cost", between(0, 1_000_000, "GiB"), "size limit of that folder, GiB; 0: none"
    ),
    # Results
    Key(
        "TEST.SAVE_PREDICTIONS",
        False,
        "output",
        SWITCH,
        "write predictions as standard files to inference/<benchmark>/predictions",
        engine_only=True,
    ),
    Key(
        "TEST.SAVE_IMAGE_COUNTS",
        False,
        "output",
        SWITCH,
        "write the counts of PQ (true and false positives, false negatives, sum of IoU) of every image and class "
        "to inference/<benchmark>_image_counts.json",
        engine_only=True,
    ),
    Key(
        "TEST.EXPECTED_RESULTS",
        [],
        "output",
        NESTED_LISTS,
        "fail if a result differs: list of [task, metric, percent, tolerance], each with the benchmark's name in "
        "front if there are several benchmarks",
    ),
    Key(
        "TEST.SHUFFLE_CLASS_NAMES",
        False,
        "result",
        SWITCH,
        "control experiment: evaluate with every class under the names of another class",
    ),
)
