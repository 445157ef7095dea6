"""Table of all config keys: name, default, role, meaning and unit.

The names are those of Detectron2, Mask2Former, FC-CLIP and FrozenSeg, so that published configs load unchanged. Keys of
the released code without effect here are listed in ``legacy.py``.
"""

from typing import Any, Literal, NamedTuple

Role = Literal["result", "training", "start", "cost", "output"]

ROLES: dict[Role, str] = {
    "result": "changes what a model with given weights predicts, or how its predictions are scored",
    "training": "changes what a training learns",
    "start": "selects the weights to start from; they are compared by their hash, not by this key",
    "cost": "changes time, memory and disk space only",
    "output": "selects what is evaluated, logged and written, and how often",
}


class Key(NamedTuple):
    """One config key.

    Attributes:
        name: dotted name.
        default: default value; its type is the type of the key.
        role: what a change of the value changes, see :data:`ROLES`.
        meaning: meaning and unit in one line.
        engine_only: True if only ``frozenseg.engine`` reads the key, so that it has no effect under another trainer.
    """

    name: str
    default: Any
    role: Role
    meaning: str
    engine_only: bool = False


KEYS: tuple[Key, ...] = (
    Key("VERSION", 2, "result", "version of the config layout; 2 is the only one"),
    Key("OUTPUT_DIR", "./output", "output", "folder for checkpoints, logs, metrics.json and inference/results.json"),
    Key("SEED", -1, "training", "seed of weights, data order and augmentation; -1 draws one and logs it"),
    Key("LOG_PERIOD", 20, "output", "training steps between lines of the log and of metrics.json"),
    Key(
        "LOG_PICTURE_PERIOD",
        1000,
        "output",
        "training steps between drawings of the same four test images with ground truth and prediction; 0: none",
        engine_only=True,
    ),
    Key(
        "LOG_WANDB_PROJECT",
        "",
        "output",
        "project of Weights & Biases to log to as well (pip install 'frozenseg[wandb]'); empty: none",
        engine_only=True,
    ),
    Key("CUDNN_BENCHMARK", False, "cost", "let cuDNN time its algorithms for each new input size"),
    # Model
    Key("MODEL.META_ARCHITECTURE", "FrozenSeg", "result", "FrozenSeg (CLIP and SAM) or FCCLIP (CLIP only)"),
    Key("MODEL.DEVICE", "auto", "cost", "cpu, cuda, or auto: cuda if available"),
    Key(
        "MODEL.WEIGHTS",
        "",
        "start",
        "checkpoint to start from or to evaluate, ours or released; toyworld: the weights in the package; empty: "
        "randomly initialised decoder",
    ),
    Key(
        "MODEL.ALLOW_PARTIAL_WEIGHTS", False, "start", "load the tensors of MODEL.WEIGHTS that fit, and list the others"
    ),
    Key(
        "MODEL.FROZEN_DTYPE",
        "float32",
        "result",
        "float32, bfloat16 or float16: dtype of the image encoders of the frozen CLIP and SAM",
    ),
    Key("MODEL.PIXEL_MEAN", [122.7709383, 116.7460125, 104.09373615], "result", "CLIP's channel means, RGB, 0-255"),
    Key(
        "MODEL.PIXEL_STD",
        [68.5005327, 66.6321579, 70.32316305],
        "result",
        "CLIP's channel standard deviations, RGB, 0-255",
    ),
    Key(
        "MODEL.BACKBONE.NAME",
        "CLIP",
        "result",
        "CLIP: the CLIP family that CLIP_MODEL_NAME belongs to; or the name of a registered family",
    ),
    Key(
        "MODEL.SAM_NAME",
        "vit_b",
        "result",
        "SAM image encoder: vit_t (MobileSAM), vit_b, vit_l, vit_h, or a registered name",
    ),
    Key(
        "MODEL.SAM_WEIGHTS",
        "",
        "result",
        "SAM checkpoint file; empty: downloaded (not for vit_t); random[:SEED]: untrained; toyworld: the weights in "
        "the package",
    ),
    Key("MODEL.TEXT_CACHE_DIR", "", "cost", "folder that caches text embeddings of vocabularies; empty: no cache"),
    # CLIP and the geometric ensemble; published as MODEL.FROZEN_SEG and MODEL.FC_CLIP, see clip_section.py
    Key("MODEL.CLIP.CLIP_MODEL_NAME", "convnext_large_d_320", "result", "open_clip model name, or hf-hub:ORG/REPO"),
    Key(
        "MODEL.CLIP.CLIP_PRETRAINED_WEIGHTS",
        "laion2b_s29b_b131k_ft_soup",
        "result",
        "open_clip tag, local file, hf-hub:ORG/REPO, random[:SEED] for an untrained CLIP, or toyworld for the weights "
        "in the package; an OpenAI file without 'openai' in its name needs a CLIP_MODEL_NAME with -quickgelu",
    ),
    Key("MODEL.CLIP.EMBED_DIM", 0, "result", "width of CLIP's joint embedding space, channels; 0: read from the model"),
    Key(
        "MODEL.CLIP.GEOMETRIC_ENSEMBLE_ALPHA", 0.4, "result", "weight of CLIP's mask-pooled scores of seen classes, 0-1"
    ),
    Key(
        "MODEL.CLIP.GEOMETRIC_ENSEMBLE_BETA",
        0.8,
        "result",
        "weight of CLIP's mask-pooled scores of unseen classes, 0-1",
    ),
    Key(
        "MODEL.CLIP.ENSEMBLE_ON_VALID_MASK",
        False,
        "result",
        "no ensemble for a query with an empty mask (ResNet CLIPs)",
    ),
    # Pixel decoder
    Key("MODEL.SEM_SEG_HEAD.NAME", "FrozenSegHead", "result", "FrozenSegHead or FCCLIPHead: two names of one head"),
    Key("MODEL.SEM_SEG_HEAD.PIXEL_DECODER_NAME", "MSDeformAttnPixelDecoder", "result", "registered pixel decoder"),
    Key("MODEL.SEM_SEG_HEAD.CONVS_DIM", 256, "result", "width of the pixel decoder, channels"),
    Key("MODEL.SEM_SEG_HEAD.MASK_DIM", 256, "result", "width of the mask features, channels"),
    Key("MODEL.SEM_SEG_HEAD.TRANSFORMER_ENC_LAYERS", 6, "result", "deformable encoder layers"),
    Key(
        "MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_N_HEADS", 8, "result", "attention heads of deformable layers"
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_N_POINTS",
        4,
        "result",
        "sampling points for each attention head and feature level",
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_DIM_FEEDFORWARD",
        1024,
        "result",
        "hidden width of the FFN in deformable layers, channels",
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS",
        1,
        "result",
        "feature levels of the SAM branch: 1 is correct, 3 reproduces the module that the released weights belong to",
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.SAM_READ_ACROSS_IMAGES",
        False,
        "result",
        "with 3 levels: sample across the whole batch as the released code does, so that its images affect each other",
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.RECOMPUTE",
        False,
        "cost",
        "recompute the activations of the decoder layers in the backward pass instead of storing them: less memory, "
        "slower steps, the same result",
    ),
    # Transformer decoder
    Key(
        "MODEL.MASK_FORMER.TRANSFORMER_DECODER_NAME",
        "MultiScaleMaskedTransformerDecoder",
        "result",
        "registered transformer decoder",
    ),
    Key("MODEL.MASK_FORMER.HIDDEN_DIM", 256, "result", "width of queries and attention, channels"),
    Key("MODEL.MASK_FORMER.NUM_OBJECT_QUERIES", 250, "result", "queries for each image"),
    Key("MODEL.MASK_FORMER.NHEADS", 8, "result", "attention heads"),
    Key("MODEL.MASK_FORMER.DIM_FEEDFORWARD", 2048, "result", "hidden width of the decoder's FFN, channels"),
    Key(
        "MODEL.MASK_FORMER.DEC_LAYERS",
        10,
        "result",
        "predictions: one from the initial queries and one after each decoder layer",
    ),
    Key("MODEL.MASK_FORMER.DROPOUT", 0.0, "training", "dropout probability in both transformers, 0-1"),
    Key(
        "MODEL.MASK_FORMER.SAM_QUERY_FUSE_LAYER",
        2,
        "result",
        "scale (0-2) after which the query injector adds SAM features to the queries; -1: never",
    ),
    Key(
        "MODEL.MASK_FORMER.SAM_FEATURE_FUSE_LAYER",
        0,
        "result",
        "scale (0-2) at which the feature injector adds SAM features to the CLIP features; -1: never",
    ),
    Key("MODEL.MASK_FORMER.SIZE_DIVISIBILITY", 32, "result", "batches are padded to a multiple of it, pixels"),
    # Criterion
    Key("MODEL.MASK_FORMER.DEEP_SUPERVISION", True, "training", "supervise every intermediate prediction"),
    Key("MODEL.MASK_FORMER.NO_OBJECT_WEIGHT", 0.1, "training", "weight of the void class in the classification loss"),
    Key("MODEL.MASK_FORMER.CLASS_WEIGHT", 2.0, "training", "weight of the classification loss and matching cost"),
    Key("MODEL.MASK_FORMER.MASK_WEIGHT", 5.0, "training", "weight of the mask cross-entropy loss and matching cost"),
    Key("MODEL.MASK_FORMER.DICE_WEIGHT", 5.0, "training", "weight of the dice loss and matching cost"),
    Key("MODEL.MASK_FORMER.TRAIN_NUM_POINTS", 12544, "training", "points at which masks are compared"),
    Key("MODEL.MASK_FORMER.OVERSAMPLE_RATIO", 3.0, "training", "candidate points for each sampled point"),
    Key(
        "MODEL.MASK_FORMER.IMPORTANCE_SAMPLE_RATIO",
        0.75,
        "training",
        "fraction of the points that are the most uncertain candidates, 0-1",
    ),
    # Post-processing
    Key("MODEL.MASK_FORMER.TEST.SEMANTIC_ON", True, "result", "semantic segmentation output"),
    Key("MODEL.MASK_FORMER.TEST.INSTANCE_ON", True, "result", "instance segmentation output"),
    Key("MODEL.MASK_FORMER.TEST.PANOPTIC_ON", True, "result", "panoptic segmentation output"),
    Key("MODEL.MASK_FORMER.TEST.RECALL_ON", False, "result", "output of all masks whatever their class, for recall"),
    Key(
        "MODEL.MASK_FORMER.TEST.OBJECT_MASK_THRESHOLD",
        0.0,
        "result",
        "panoptic: queries with a class score below it are dropped, 0-1",
    ),
    Key(
        "MODEL.MASK_FORMER.TEST.OVERLAP_THRESHOLD",
        0.8,
        "result",
        "panoptic: segments that keep a smaller fraction of their mask are dropped, 0-1",
    ),
    Key(
        "MODEL.MASK_FORMER.TEST.SEM_SEG_POSTPROCESSING_BEFORE_INFERENCE",
        False,
        "result",
        "resize masks to the target size before semantic post-processing, also if it is the only output",
    ),
    Key("TEST.DETECTIONS_PER_IMAGE", 100, "result", "instances kept for each image"),
    Key("TEST.EVAL_PERIOD", 0, "output", "training iterations between evaluations; 0: only at the end"),
    Key("TEST.COMPARE", False, "output", "show published results beside ours", engine_only=True),
    Key(
        "TEST.AUG.ENABLED",
        False,
        "result",
        "test-time augmentation: mean of the semantic scores over several sizes of an image and its mirror image",
    ),
    Key("TEST.AUG.MIN_SIZES", list(range(400, 1300, 100)), "result", "shortest edges of the sizes, pixels"),
    Key("TEST.AUG.MAX_SIZE", 4000, "result", "longest edge of every size, pixels"),
    Key("TEST.AUG.FLIP", True, "result", "include the mirror image of each size"),
    Key("TEST.USE_SAM_MASKS", False, "result", "let SAM proposals vote for unseen classes in semantic segmentation"),
    Key("TEST.SAM_MASK_PRED_ALPHA", 0.2, "result", "weight of the proposal votes, 0-1"),
    Key(
        "TEST.SAM_MASK_THRESHOLD",
        0.5,
        "result",
        "probability of the best unseen class above which a proposal votes, 0-1",
    ),
    Key("TEST.SAM_MASKS_IN_PANOPTIC", False, "result", "use proposals as candidates in panoptic segmentation, too"),
    Key(
        "TEST.SAM_MASKS_IN_INSTANCES",
        False,
        "result",
        "use proposals as instances, too, if no query predicts the same object",
    ),
    Key("TEST.SAM_MASK_POINTS", 32, "result", "point prompts for SAM along each side of the image"),
    Key(
        "TEST.SAM_MASK_BGR",
        False,
        "result",
        "give SAM the image with red and blue swapped, as the released masks were made",
    ),
    Key("TEST.SAM_MASK_BF16", False, "result", "generate proposals in bfloat16: faster, slightly different masks"),
    Key("TEST.SAM_MASK_CACHE", "", "cost", "folder that caches proposals between runs; empty: no cache"),
    Key("TEST.SAM_MASK_CACHE_GIB", 20.0, "cost", "size limit of that folder, GiB; 0: none"),
    Key(
        "TEST.SAVE_PREDICTIONS",
        False,
        "output",
        "write predictions as standard files to inference/<benchmark>/predictions",
        engine_only=True,
    ),
    Key(
        "TEST.EXPECTED_RESULTS",
        [],
        "output",
        "fail if a result differs: list of [task, metric, percent, tolerance], each with the benchmark's name in "
        "front if there are several benchmarks",
    ),
    Key(
        "TEST.SHUFFLE_CLASS_NAMES",
        False,
        "result",
        "control experiment: evaluate with every class under the names of another class",
    ),
    # Images
    Key("INPUT.FORMAT", "RGB", "result", "channel order that the model reads; RGB is the only one"),
    Key("INPUT.DATASET_MAPPER_NAME", "coco_panoptic_lsj", "training", "training recipe: coco_panoptic_lsj"),
    Key("INPUT.IMAGE_SIZE", 1024, "training", "side of the square training crop, pixels"),
    Key("INPUT.MIN_SCALE", 0.1, "training", "smallest factor of large-scale jitter"),
    Key("INPUT.MAX_SCALE", 2.0, "training", "largest factor of large-scale jitter"),
    Key("INPUT.RANDOM_FLIP", "horizontal", "training", "horizontal or none"),
    Key("INPUT.MIN_SIZE_TEST", 800, "result", "shortest edge of test images, pixels"),
    Key("INPUT.MAX_SIZE_TEST", 1333, "result", "longest edge of test images, pixels"),
    # Data sets
    Key(
        "DATASETS.TRAIN",
        [],
        "result",
        "data sets to train on: registered names, or folder:, coco-panoptic:, coco-instances:; their classes are the "
        "seen ones",
    ),
    Key("DATASETS.TEST", [], "output", "data sets to evaluate on, named in the same ways"),
    Key(
        "DATASETS.VOCABULARIES",
        [],
        "result",
        "files of class names that replace those of data sets: NAME=FILE, or FILE if there is one test data set",
    ),
    Key(
        "DATASETS.SEEN_RULE",
        "synonyms",
        "result",
        "rule for seen classes: synonyms (a name in common with a training class) or published (list of the paper)",
    ),
    Key("DATASETS.SKIP_BAD", False, "result", "skip images that cannot be decoded and log them, instead of stopping"),
    Key("DATALOADER.NUM_WORKERS", 4, "cost", "processes that load images for each GPU"),
    Key("DATALOADER.ASPECT_RATIO_GROUPING", True, "training", "batch images of similar aspect ratio (wide, tall)"),
    Key(
        "DATALOADER.FILTER_EMPTY_ANNOTATIONS",
        True,
        "training",
        "skip training images with instance annotations that are all crowd regions",
    ),
    # Optimisation
    Key("SOLVER.OPTIMIZER", "ADAMW", "training", "ADAMW or SGD"),
    Key("SOLVER.IMS_PER_BATCH", 16, "training", "images for each step, over all GPUs"),
    Key(
        "SOLVER.IMAGES_AT_ONCE",
        0,
        "cost",
        "images that a GPU processes at once, with gradients summed over its part of the step; 0: all of its part",
    ),
    Key("SOLVER.MAX_ITER", 368750, "training", "training steps"),
    Key("SOLVER.BASE_LR", 1e-4, "training", "learning rate"),
    Key("SOLVER.LR_SCHEDULER_NAME", "WarmupMultiStepLR", "training", "WarmupMultiStepLR or WarmupCosineLR"),
    Key("SOLVER.STEPS", [327778, 355092], "training", "iterations at which the learning rate drops (multi-step)"),
    Key("SOLVER.GAMMA", 0.1, "training", "factor of each drop (multi-step)"),
    Key("SOLVER.BASE_LR_END", 0.0, "training", "learning rate at the end (cosine)"),
    Key("SOLVER.WARMUP_FACTOR", 1.0, "training", "learning rate of the first step, as a factor"),
    Key("SOLVER.WARMUP_ITERS", 10, "training", "steps of linear warm-up"),
    Key("SOLVER.WEIGHT_DECAY", 0.05, "training", "weight decay"),
    Key("SOLVER.WEIGHT_DECAY_NORM", 0.0, "training", "weight decay of normalisation layers"),
    Key("SOLVER.WEIGHT_DECAY_EMBED", 0.0, "training", "weight decay of embeddings"),
    Key("SOLVER.BACKBONE_MULTIPLIER", 0.1, "training", "factor of the learning rate for trainable backbone parameters"),
    Key("SOLVER.MOMENTUM", 0.9, "training", "momentum (SGD)"),
    Key("SOLVER.CLIP_GRADIENTS.ENABLED", True, "training", "clip gradients"),
    Key("SOLVER.CLIP_GRADIENTS.CLIP_TYPE", "full_model", "training", "full_model: one norm over all parameters"),
    Key("SOLVER.CLIP_GRADIENTS.CLIP_VALUE", 0.01, "training", "largest gradient norm"),
    Key("SOLVER.CLIP_GRADIENTS.NORM_TYPE", 2.0, "training", "order of the norm"),
    Key("SOLVER.AMP.ENABLED", True, "training", "mixed precision"),
    Key(
        "SOLVER.AMP.DTYPE",
        "float16",
        "training",
        "float16 (on CUDA; float32 on the CPU) or bfloat16 (also on the CPU)",
        engine_only=True,
    ),
    Key(
        "SOLVER.MAX_BAD_STEPS",
        10,
        "cost",
        "steps in a row with a loss or gradient that is not finite, after which training ends with a dump for "
        "tools/replay_step.py; fewer are skipped without an update",
        engine_only=True,
    ),
    Key("SOLVER.CHECKPOINT_PERIOD", 5000, "output", "iterations between checkpoints"),
    Key("SOLVER.KEEP_CHECKPOINTS.LAST", 3, "output", "number of newest checkpoints to keep; 0: all", engine_only=True),
    Key(
        "SOLVER.KEEP_CHECKPOINTS.EVERY",
        0,
        "output",
        "also keep checkpoints at multiples of this number of iterations; 0: none",
        engine_only=True,
    ),
    Key(
        "SOLVER.KEEP_CHECKPOINTS.BEST",
        "",
        "output",
        "also keep the checkpoint that scores highest in this metric, such as toyworld_val_seen/panoptic_seg/PQ; "
        "empty: none",
        engine_only=True,
    ),
)

KEY_BY_NAME: dict[str, Key] = {key.name: key for key in KEYS}


def names_with_role(*roles: Role) -> frozenset[str]:
    """Return the dotted names of the keys that have one of the roles."""
    return frozenset(key.name for key in KEYS if key.role in roles)
