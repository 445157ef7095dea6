"""Every config key once: its default, its unit and its meaning.

The names are Detectron2's, Mask2Former's, FC-CLIP's and FrozenSeg's own, so that published configs read the same here.
Keys of the released code that no longer act stand in ``legacy.py``.
"""

from typing import Any, NamedTuple


class Key(NamedTuple):
    """One line of the table below."""

    name: str
    default: Any
    meaning: str


KEYS: tuple[Key, ...] = (
    Key("VERSION", 2, "version of the config layout; 2 is the only one"),
    Key("OUTPUT_DIR", "./output", "folder for checkpoints, logs, metrics.json and inference/results.json"),
    Key("SEED", -1, "seed of weights, data order and augmentation; -1 draws one and logs it"),
    Key("LOG_PERIOD", 20, "training steps between lines of the log and of metrics.json"),
    Key(
        "LOG_PICTURE_PERIOD",
        1000,
        "training steps between drawings of the same four test images, as annotated and as predicted; 0: none",
    ),
    Key("LOG_WANDB_PROJECT", "", "log to this project of Weights & Biases, too (pip install 'frozenseg[wandb]')"),
    Key("CUDNN_BENCHMARK", False, "let cuDNN try its algorithms on each new input size"),
    # The model as a whole
    Key("MODEL.META_ARCHITECTURE", "FrozenSeg", "FrozenSeg (CLIP and SAM) or FCCLIP (CLIP alone)"),
    Key("MODEL.DEVICE", "auto", "cpu, cuda, or auto: cuda where there is one"),
    Key(
        "MODEL.WEIGHTS",
        "",
        "file of weights to start from or to evaluate, ours or released; toyworld: those that come with the package; "
        "empty: freshly initialised decoder",
    ),
    Key("MODEL.ALLOW_PARTIAL_WEIGHTS", False, "load what fits of MODEL.WEIGHTS and warn of the rest"),
    Key(
        "MODEL.FROZEN_DTYPE",
        "float32",
        "float32, bfloat16 or float16: the image trunks of the frozen CLIP and SAM hold their weights and work in it",
    ),
    Key("MODEL.PIXEL_MEAN", [122.7709383, 116.7460125, 104.09373615], "CLIP's channel means, RGB, 0-255"),
    Key("MODEL.PIXEL_STD", [68.5005327, 66.6321579, 70.32316305], "CLIP's channel standard deviations, RGB, 0-255"),
    Key("MODEL.BACKBONE.NAME", "CLIP", "CLIP picks the family from CLIP_MODEL_NAME; a family's name insists on it"),
    Key("MODEL.SAM_NAME", "vit_b", "SAM: vit_t (MobileSAM), vit_b, vit_l, vit_h, or a registered name"),
    Key(
        "MODEL.SAM_WEIGHTS",
        "",
        "SAM checkpoint file; empty: fetched (not vit_t); random[:SEED]: untrained; toyworld: comes with the package",
    ),
    Key("MODEL.TEXT_CACHE_DIR", "", "folder that keeps encoded vocabularies; empty keeps none"),
    # CLIP and the geometric ensemble; FC_CLIP is the same section under its older name
    Key("MODEL.FROZEN_SEG.CLIP_MODEL_NAME", "convnext_large_d_320", "open_clip model name, or hf-hub:ORG/REPO"),
    Key(
        "MODEL.FROZEN_SEG.CLIP_PRETRAINED_WEIGHTS",
        "laion2b_s29b_b131k_ft_soup",
        "open_clip tag, local file, hf-hub:ORG/REPO, random[:SEED] for an untrained CLIP, or toyworld for the one that "
        "comes with the package; a file of OpenAI's that does not say so in its name needs a CLIP_MODEL_NAME with "
        "-quickgelu",
    ),
    Key("MODEL.FROZEN_SEG.EMBED_DIM", 0, "width of CLIP's joint space; 0 reads it from the model"),
    Key("MODEL.FROZEN_SEG.GEOMETRIC_ENSEMBLE_ALPHA", 0.4, "weight of CLIP's own scores for seen classes, 0-1"),
    Key("MODEL.FROZEN_SEG.GEOMETRIC_ENSEMBLE_BETA", 0.8, "weight of CLIP's own scores for unseen classes, 0-1"),
    Key("MODEL.FROZEN_SEG.ENSEMBLE_ON_VALID_MASK", False, "no ensemble for a query whose mask is empty (ResNets)"),
    Key("MODEL.FC_CLIP.CLIP_MODEL_NAME", "convnext_large_d_320", "as in FROZEN_SEG, read by FCCLIP"),
    Key("MODEL.FC_CLIP.CLIP_PRETRAINED_WEIGHTS", "laion2b_s29b_b131k_ft_soup", "as in FROZEN_SEG, read by FCCLIP"),
    Key("MODEL.FC_CLIP.EMBED_DIM", 0, "as in FROZEN_SEG, read by FCCLIP"),
    Key("MODEL.FC_CLIP.GEOMETRIC_ENSEMBLE_ALPHA", 0.4, "as in FROZEN_SEG, read by FCCLIP"),
    Key("MODEL.FC_CLIP.GEOMETRIC_ENSEMBLE_BETA", 0.8, "as in FROZEN_SEG, read by FCCLIP"),
    Key("MODEL.FC_CLIP.ENSEMBLE_ON_VALID_MASK", False, "as in FROZEN_SEG, read by FCCLIP"),
    # Pixel decoder
    Key("MODEL.SEM_SEG_HEAD.NAME", "FrozenSegHead", "FrozenSegHead or FCCLIPHead: two names of the one head"),
    Key("MODEL.SEM_SEG_HEAD.PIXEL_DECODER_NAME", "MSDeformAttnPixelDecoder", "registered pixel decoder"),
    Key("MODEL.SEM_SEG_HEAD.CONVS_DIM", 256, "width of the pixel decoder, channels"),
    Key("MODEL.SEM_SEG_HEAD.MASK_DIM", 256, "width of the mask features, channels"),
    Key("MODEL.SEM_SEG_HEAD.TRANSFORMER_ENC_LAYERS", 6, "deformable encoder layers"),
    Key("MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_N_HEADS", 8, "heads of deformable attention"),
    Key("MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_N_POINTS", 4, "points a head samples on each level"),
    Key("MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_DIM_FEEDFORWARD", 1024, "hidden width of its FFN"),
    Key(
        "MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS",
        1,
        "levels that the SAM branch is built for: 1 is right, 3 reads as the released weights were trained",
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.SAM_READ_ACROSS_IMAGES",
        False,
        "with 3 levels: read through the whole batch as released, so that its images leak into each other",
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.RECOMPUTE",
        False,
        "compute what happens inside the decoders' layers a second time in the backward pass instead of keeping it: "
        "less memory, slower steps, the same result",
    ),
    # Transformer decoder
    Key("MODEL.MASK_FORMER.TRANSFORMER_DECODER_NAME", "MultiScaleMaskedTransformerDecoder", "registered decoder"),
    Key("MODEL.MASK_FORMER.HIDDEN_DIM", 256, "width of queries and attention, channels"),
    Key("MODEL.MASK_FORMER.NUM_OBJECT_QUERIES", 250, "queries an image"),
    Key("MODEL.MASK_FORMER.NHEADS", 8, "attention heads"),
    Key("MODEL.MASK_FORMER.DIM_FEEDFORWARD", 2048, "hidden width of the decoder's FFN"),
    Key("MODEL.MASK_FORMER.DEC_LAYERS", 10, "predictions: one from the initial queries, one after each layer"),
    Key("MODEL.MASK_FORMER.DROPOUT", 0.0, "dropout in both transformers, 0-1"),
    Key("MODEL.MASK_FORMER.SAM_QUERY_FUSE_LAYER", 2, "scale (0-2) after which SAM enters the queries; -1 never"),
    Key("MODEL.MASK_FORMER.SAM_FEATURE_FUSE_LAYER", 0, "scale (0-2) whose CLIP map SAM enters; -1 never"),
    Key("MODEL.MASK_FORMER.SIZE_DIVISIBILITY", 32, "batches are padded to a multiple of it, pixels"),
    # Criterion
    Key("MODEL.MASK_FORMER.DEEP_SUPERVISION", True, "supervise every intermediate prediction"),
    Key("MODEL.MASK_FORMER.NO_OBJECT_WEIGHT", 0.1, "weight of the void class in the classification loss"),
    Key("MODEL.MASK_FORMER.CLASS_WEIGHT", 2.0, "weight of the classification loss and cost"),
    Key("MODEL.MASK_FORMER.MASK_WEIGHT", 5.0, "weight of the mask cross-entropy loss and cost"),
    Key("MODEL.MASK_FORMER.DICE_WEIGHT", 5.0, "weight of the dice loss and cost"),
    Key("MODEL.MASK_FORMER.TRAIN_NUM_POINTS", 12544, "points at which masks are compared"),
    Key("MODEL.MASK_FORMER.OVERSAMPLE_RATIO", 3.0, "candidate points drawn for each point kept"),
    Key("MODEL.MASK_FORMER.IMPORTANCE_SAMPLE_RATIO", 0.75, "share of the points that are the most uncertain ones"),
    # Read-outs
    Key("MODEL.MASK_FORMER.TEST.SEMANTIC_ON", True, "read out a semantic map"),
    Key("MODEL.MASK_FORMER.TEST.INSTANCE_ON", True, "read out instances"),
    Key("MODEL.MASK_FORMER.TEST.PANOPTIC_ON", True, "read out a panoptic map"),
    Key("MODEL.MASK_FORMER.TEST.RECALL_ON", False, "read out all masks, whatever they show: how many regions are met?"),
    Key("MODEL.MASK_FORMER.TEST.OBJECT_MASK_THRESHOLD", 0.0, "queries below this class score are dropped (panoptic)"),
    Key("MODEL.MASK_FORMER.TEST.OVERLAP_THRESHOLD", 0.8, "segments that keep less of their mask are dropped"),
    Key(
        "MODEL.MASK_FORMER.TEST.SEM_SEG_POSTPROCESSING_BEFORE_INFERENCE",
        False,
        "restore masks to the wanted size before a semantic-only read-out too",
    ),
    Key("TEST.DETECTIONS_PER_IMAGE", 100, "instances kept an image"),
    Key("TEST.EVAL_PERIOD", 0, "evaluate every so many iterations while training; 0 only at the end"),
    Key("TEST.COMPARE", False, "show the published results beside ours"),
    Key("TEST.AUG.ENABLED", False, "mean of the semantic scores over several sizes of a picture and its mirror image"),
    Key("TEST.AUG.MIN_SIZES", list(range(400, 1300, 100)), "these sizes: of the shortest edge, pixels"),
    Key("TEST.AUG.MAX_SIZE", 4000, "longest edge in them, pixels"),
    Key("TEST.AUG.FLIP", True, "the mirror image of each, too"),
    Key("TEST.USE_SAM_MASKS", False, "let SAM's own masks vote for unseen classes in the semantic output"),
    Key("TEST.SAM_MASK_PRED_ALPHA", 0.2, "weight of these votes, 0-1"),
    Key("TEST.SAM_MASK_THRESHOLD", 0.5, "probability of the best unseen class above which a mask votes"),
    Key("TEST.SAM_MASKS_IN_PANOPTIC", False, "let them compete for pixels in the panoptic output, too"),
    Key("TEST.SAM_MASKS_IN_INSTANCES", False, "let them be instances, too, where no query has found the same"),
    Key("TEST.SAM_MASK_POINTS", 32, "SAM is asked at this many points along each side of the picture"),
    Key("TEST.SAM_MASK_BGR", False, "show SAM the picture with red and blue swapped, as the released masks were made"),
    Key("TEST.SAM_MASK_BF16", False, "propose masks in bfloat16: faster, a little different"),
    Key("TEST.SAM_MASK_CACHE", "", "folder that keeps SAM's masks from run to run; empty keeps none"),
    Key("TEST.SAM_MASK_CACHE_GIB", 20.0, "the folder's size limit, GiB; 0 for none"),
    Key("TEST.SAVE_PREDICTIONS", False, "write predictions as standard files, under inference/<benchmark>/predictions"),
    Key(
        "TEST.EXPECTED_RESULTS",
        [],
        "fail when results are off: a list of [task, metric, percent, tolerance], with the benchmark's name before it "
        "where there are several",
    ),
    Key("TEST.SHUFFLE_CLASS_NAMES", False, "control: evaluate with every class under another class's names"),
    # Images
    Key("INPUT.FORMAT", "RGB", "channel order that the model reads; RGB is the only one"),
    Key("INPUT.DATASET_MAPPER_NAME", "coco_panoptic_lsj", "training recipe: coco_panoptic_lsj"),
    Key("INPUT.IMAGE_SIZE", 1024, "side of the square training crop, pixels"),
    Key("INPUT.MIN_SCALE", 0.1, "smallest large-scale-jitter factor"),
    Key("INPUT.MAX_SCALE", 2.0, "largest large-scale-jitter factor"),
    Key("INPUT.RANDOM_FLIP", "horizontal", "horizontal or none"),
    Key("INPUT.MIN_SIZE_TEST", 800, "shortest edge at test, pixels"),
    Key("INPUT.MAX_SIZE_TEST", 1333, "longest edge at test, pixels"),
    # Data
    Key("DATASETS.TRAIN", [], "data sets to train on: registered names, or folder:, coco-panoptic:, coco-instances:"),
    Key("DATASETS.TEST", [], "data sets to evaluate on, named in the same ways"),
    Key(
        "DATASETS.VOCABULARIES",
        [],
        "files of words in the place of data sets' own: NAME=FILE, or FILE for the one test set",
    ),
    Key(
        "DATASETS.SEEN_RULE",
        "synonyms",
        "which classes count as seen: synonyms (shared words), or published (flags)",
    ),
    Key("DATASETS.SKIP_BAD", False, "leave out images that cannot be decoded, named in the log, instead of stopping"),
    Key("DATALOADER.NUM_WORKERS", 4, "processes that load images, for each GPU"),
    Key("DATALOADER.ASPECT_RATIO_GROUPING", True, "batch wide images with wide ones"),
    Key(
        "DATALOADER.FILTER_EMPTY_ANNOTATIONS",
        True,
        "leave out training images that have instance annotations, all crowd",
    ),
    # Optimisation
    Key("SOLVER.OPTIMIZER", "ADAMW", "ADAMW or SGD"),
    Key("SOLVER.IMS_PER_BATCH", 16, "images a step, over all GPUs"),
    Key(
        "SOLVER.IMAGES_AT_ONCE",
        0,
        "images a GPU works on at once, summing gradients until its share of the step is done; 0: the whole share",
    ),
    Key("SOLVER.MAX_ITER", 368750, "training steps"),
    Key("SOLVER.BASE_LR", 1e-4, "learning rate"),
    Key("SOLVER.LR_SCHEDULER_NAME", "WarmupMultiStepLR", "WarmupMultiStepLR or WarmupCosineLR"),
    Key("SOLVER.STEPS", [327778, 355092], "iterations at which the learning rate drops (WarmupMultiStepLR)"),
    Key("SOLVER.GAMMA", 0.1, "factor of each drop (WarmupMultiStepLR)"),
    Key("SOLVER.BASE_LR_END", 0.0, "learning rate at the end (WarmupCosineLR)"),
    Key("SOLVER.WARMUP_FACTOR", 1.0, "learning rate of the first step, as a factor"),
    Key("SOLVER.WARMUP_ITERS", 10, "steps of linear warm-up"),
    Key("SOLVER.WEIGHT_DECAY", 0.05, "weight decay"),
    Key("SOLVER.WEIGHT_DECAY_NORM", 0.0, "weight decay of normalisation layers"),
    Key("SOLVER.WEIGHT_DECAY_EMBED", 0.0, "weight decay of embeddings"),
    Key("SOLVER.BACKBONE_MULTIPLIER", 0.1, "learning rate factor for trainable backbone parameters"),
    Key("SOLVER.MOMENTUM", 0.9, "momentum (SGD)"),
    Key("SOLVER.CLIP_GRADIENTS.ENABLED", True, "clip gradients"),
    Key("SOLVER.CLIP_GRADIENTS.CLIP_TYPE", "full_model", "full_model: one norm over all parameters"),
    Key("SOLVER.CLIP_GRADIENTS.CLIP_VALUE", 0.01, "largest gradient norm"),
    Key("SOLVER.CLIP_GRADIENTS.NORM_TYPE", 2.0, "which norm"),
    Key("SOLVER.AMP.ENABLED", True, "mixed precision"),
    Key("SOLVER.AMP.DTYPE", "float16", "float16 (on CUDA; float32 elsewhere) or bfloat16 (on CPU, too)"),
    Key(
        "SOLVER.MAX_BAD_STEPS",
        10,
        "a step whose loss or gradient is not finite changes nothing; so many in a row end the training, with a dump "
        "for tools/replay_step.py",
    ),
    Key("SOLVER.CHECKPOINT_PERIOD", 5000, "iterations between checkpoints"),
    Key("SOLVER.KEEP_CHECKPOINTS.LAST", 3, "how many of the newest checkpoints are kept; 0 keeps all"),
    Key("SOLVER.KEEP_CHECKPOINTS.EVERY", 0, "checkpoints at multiples of so many iterations are kept too; 0: none"),
    Key(
        "SOLVER.KEEP_CHECKPOINTS.BEST",
        "",
        "the one with the most of this metric is kept too, such as toyworld_val_seen/panoptic_seg/PQ; empty: none",
    ),
)


def meaning_of(name: str) -> str:
    """Return the one-line meaning of a key; KeyError for a name that is none."""
    return {key.name: key.meaning for key in KEYS}[name]
