"""Keys of INPUT, DATASETS and DATALOADER."""

from frozenseg.config.bounds import MAX_SIDE, NAME, PATH, SWITCH, between, list_of, one_of, whole
from frozenseg.config.defaults.key import Key

DATA_KEYS: tuple[Key, ...] = (
    # Images
    Key("INPUT.FORMAT", "RGB", "result", one_of("RGB"), "channel order that the model reads; RGB is the only one"),
    Key("INPUT.DATASET_MAPPER_NAME", "coco_panoptic_lsj", "training", NAME, "training recipe: coco_panoptic_lsj"),
    Key("INPUT.IMAGE_SIZE", 1024, "training", whole(1, 16_384, "pixels"), "side of the square training crop, pixels"),
    Key("INPUT.MIN_SCALE", 0.1, "training", between(0.001, 100), "smallest factor of large-scale jitter"),
    Key("INPUT.MAX_SCALE", 2.0, "training", between(0.001, 100), "largest factor of large-scale jitter"),
    Key("INPUT.RANDOM_FLIP", "horizontal", "training", one_of("horizontal", "none"), "horizontal or none"),
    Key("INPUT.MIN_SIZE_TEST", 800, "result", whole(1, MAX_SIDE, "pixels"), "shortest edge of test images, pixels"),
    Key("INPUT.MAX_SIZE_TEST", 1333, "result", whole(1, MAX_SIDE, "pixels"), "longest edge of test images, pixels"),
    # Data sets
    Key(
        "DATASETS.TRAIN",
        [],
        "result",
        list_of(NAME),
        "data sets to train on: registered names, or folder:, coco-panoptic:, coco-instances:; their classes are the "
        "seen ones",
    ),
    Key("DATASETS.TEST", [], "output", list_of(NAME), "data sets to evaluate on, named in the same ways"),
    Key(
        "DATASETS.VOCABULARIES",
        [],
        "result",
        list_of(PATH),
        "files of class names that replace those of data sets: NAME=FILE, or FILE if there is one test data set",
    ),
    Key(
        "DATASETS.VOCABULARY_FOLDER",
        "",
        "result",
        PATH,
        "folder with the published files of class names, such as ade20k_150_with_prompt_eng.txt, for all data sets of "
        "the run without an entry in VOCABULARIES; empty: the names of the package",
    ),
    Key(
        "DATASETS.SEEN_RULE",
        "synonyms",
        "result",
        one_of("synonyms", "published"),
        "rule for seen classes: synonyms (a name in common with a training class) or published (list of the paper)",
    ),
    Key(
        "DATASETS.NORMALIZE_NAMES",
        True,
        "result",
        SWITCH,
        "prompt custom data sets in lower case with spaces for underscores; spellings of a seen name are equal",
    ),
    Key(
        "DATASETS.SKIP_BAD",
        False,
        "result",
        SWITCH,
        "skip images that cannot be decoded and log them, instead of stopping",
    ),
    Key(
        "DATASETS.STRICT",
        False,
        "result",
        SWITCH,
        "refuse instance annotations with objects without a mask, instead of leaving these objects out",
    ),
    # Loaders
    Key("DATALOADER.NUM_WORKERS", 4, "cost", whole(0, 1_024, "processes"), "processes that load images for each GPU"),
    Key(
        "DATALOADER.ASPECT_RATIO_GROUPING",
        True,
        "training",
        SWITCH,
        "batch images of similar aspect ratio (wide, tall)",
    ),
    Key(
        "DATALOADER.FILTER_EMPTY_ANNOTATIONS",
        True,
        "training",
        SWITCH,
        "skip training images with instance annotations that are all crowd regions",
    ),
)
