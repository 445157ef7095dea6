"""Keys of MODEL: the frozen encoders, the decoders, the criterion and the post-processing."""

from frozenseg.config.bounds import NAME, PATH, SWITCH, between, list_of, one_of, whole
from frozenseg.config.defaults.key import Key

LOSS_WEIGHT = between(0, 1_000_000)
MAX_CHANNELS = 16_384  # channels
MAX_HIDDEN_CHANNELS = 65_536  # channels
MAX_LAYERS = 100

MODEL_KEYS: tuple[Key, ...] = (
    Key("MODEL.META_ARCHITECTURE", "FrozenSeg", "result", NAME, "FrozenSeg (CLIP and SAM) or FCCLIP (CLIP only)"),
    Key("MODEL.DEVICE", "auto", "cost", NAME, "cpu, cuda, or auto: cuda if available"),
    Key(
        "MODEL.WEIGHTS",
        "",
        "start",
        PATH,
        "checkpoint to start from or to evaluate, ours or released: a path, a name that `frozenseg models` lists, "
        "hf-hub:ORG/REPO or local-dir:FOLDER; empty: randomly initialised decoder",
    ),
    Key(
        "MODEL.ALLOW_PARTIAL_WEIGHTS",
        False,
        "start",
        SWITCH,
        "load the tensors of MODEL.WEIGHTS that fit, and list the others",
    ),
    Key(
        "MODEL.INITIAL_VALUES_BY_NAME",
        False,
        "training",
        SWITCH,
        "draw the initial values of each trained parameter by SEED and its name, so that models with common parameters "
        "start with equal values; the model is built twice",
        engine_only=True,
    ),
    Key(
        "MODEL.FROZEN_DTYPE",
        "float32",
        "result",
        one_of("float32", "bfloat16", "float16", "int8"),
        "float32, bfloat16, float16 or int8: dtype of the image encoders of the frozen CLIP and SAM; int8 is that of "
        "their linear layers, on CPUs with VNNI",
    ),
    Key(
        "MODEL.PRECISION",
        "full",
        "result",
        one_of("full", "fast", "bfloat16"),
        "full, or fast: bfloat16 for the frozen encoders and, at inference, for the decoders, on processors that "
        "multiply it natively, else int8 for the frozen encoders on CPUs with VNNI; bfloat16: on all, to measure its "
        "accuracy. FROZEN_DTYPE takes precedence for the encoders",
        engine_only=True,
    ),
    Key(
        "MODEL.COMPILE",
        "off",
        "cost",
        one_of("off", "default", "reduce-overhead"),
        "torch.compile of encoders and decoders on CUDA: off, default, or reduce-overhead with CUDA graphs for each "
        "padded input size, of which a SIZE_DIVISIBILITY of 128 or 256 leaves few",
        engine_only=True,
    ),
    Key(
        "MODEL.PIXEL_MEAN",
        [122.7709383, 116.7460125, 104.09373615],
        "result",
        list_of(between(0, 255, "grey levels"), 3, 3),
        "CLIP's channel means, RGB, 0-255",
    ),
    Key(
        "MODEL.PIXEL_STD",
        [68.5005327, 66.6321579, 70.32316305],
        "result",
        list_of(between(0.001, 255, "grey levels"), 3, 3),
        "CLIP's channel standard deviations, RGB, 0-255",
    ),
    Key(
        "MODEL.BACKBONE.NAME",
        "CLIP",
        "result",
        NAME,
        "CLIP: the CLIP family that CLIP_MODEL_NAME belongs to; or the name of a registered family",
    ),
    Key(
        "MODEL.SAM_NAME",
        "vit_b",
        "result",
        NAME,
        "SAM image encoder: vit_t (MobileSAM), vit_b, vit_l, vit_h, or a registered name",
    ),
    Key(
        "MODEL.SAM_WEIGHTS",
        "",
        "result",
        PATH,
        "SAM checkpoint: a file, or a name in `frozenseg models`; empty: downloaded; random[:SEED]: untrained",
    ),
    Key(
        "MODEL.TEXT_CACHE_DIR", "", "cost", PATH, "folder that caches text embeddings of vocabularies; empty: no cache"
    ),
    # CLIP and the geometric ensemble; published as MODEL.FROZEN_SEG and MODEL.FC_CLIP, see clip_section.py
    Key(
        "MODEL.CLIP.CLIP_MODEL_NAME", "convnext_large_d_320", "result", NAME, "open_clip model name, or hf-hub:ORG/REPO"
    ),
    Key(
        "MODEL.CLIP.CLIP_PRETRAINED_WEIGHTS",
        "laion2b_s29b_b131k_ft_soup",
        "result",
        PATH,
        "open_clip tag, local file, hf-hub:ORG/REPO, random[:SEED] for an untrained CLIP, or toyworld for the weights"
        " in the package; an OpenAI file without 'openai' in its name needs a CLIP_MODEL_NAME with -quickgelu",
    ),
    Key(
        "MODEL.CLIP.EMBED_DIM",
        0,
        "result",
        whole(0, MAX_CHANNELS, "channels"),
        "width of CLIP's joint embedding space, channels; 0: read from the model",
    ),
    Key(
        "MODEL.CLIP.POOLING_STRIDE",
        32,
        "result",
        one_of(32, 16, 8),
        "stride of the feature map that is pooled under masks, pixels: 32 as in the paper, or 16 or 8 (ConvNeXt CLIPs) "
        "for small things, from the same weights",
    ),
    Key(
        "MODEL.CLIP.GEOMETRIC_ENSEMBLE_ALPHA",
        0.4,
        "result",
        between(0, 1),
        "weight of CLIP's mask-pooled scores of seen classes, 0-1",
    ),
    Key(
        "MODEL.CLIP.GEOMETRIC_ENSEMBLE_BETA",
        0.8,
        "result",
        between(0, 1),
        "weight of CLIP's mask-pooled scores of unseen classes, 0-1",
    ),
    Key(
        "MODEL.CLIP.GEOMETRIC_ENSEMBLE_VOID_DISCOUNT",
        0.0,
        "result",
        between(0, 1),
        "objectness from CLIP: share by which CLIP's certainty of a class reduces the void probability in panoptic and "
        "instance segmentation, 0-1; OVRCOAT uses 0.5",
    ),
    Key(
        "MODEL.CLIP.ENSEMBLE_ON_VALID_MASK",
        False,
        "result",
        SWITCH,
        "no ensemble for a query with an empty mask (ResNet CLIPs)",
    ),
    # Pixel decoder
    Key(
        "MODEL.SEM_SEG_HEAD.NAME", "FrozenSegHead", "result", NAME, "FrozenSegHead or FCCLIPHead: two names of one head"
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.PIXEL_DECODER_NAME", "MSDeformAttnPixelDecoder", "result", NAME, "registered pixel decoder"
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.CONVS_DIM",
        256,
        "result",
        whole(4, MAX_CHANNELS, "channels", multiple=4),
        "width of the pixel decoder, channels",
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.MASK_DIM",
        256,
        "result",
        whole(4, MAX_CHANNELS, "channels", multiple=4),
        "width of the mask features, channels",
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.TRANSFORMER_ENC_LAYERS",
        6,
        "result",
        whole(0, MAX_LAYERS, "layers"),
        "deformable encoder layers",
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_N_HEADS",
        8,
        "result",
        whole(1, MAX_CHANNELS, "heads"),
        "attention heads of deformable layers",
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_N_POINTS",
        4,
        "result",
        whole(1, 64, "points"),
        "sampling points for each attention head and feature level",
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_DIM_FEEDFORWARD",
        1024,
        "result",
        whole(1, MAX_HIDDEN_CHANNELS, "channels"),
        "hidden width of the FFN in deformable layers, channels",
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS",
        1,
        "result",
        one_of(1, 3),
        "feature levels of the SAM branch: 1 is correct, 3 reproduces the module that the released weights belong to",
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.SAM_READ_ACROSS_IMAGES",
        False,
        "result",
        SWITCH,
        "with 3 levels: sample across the whole batch as the released code does, so that its images affect each other",
    ),
    Key(
        "MODEL.SEM_SEG_HEAD.RECOMPUTE",
        False,
        "cost",
        SWITCH,
        "recompute the activations of the decoder layers in the backward pass instead of storing them: less memory, "
        "slower steps, the same result",
    ),
    # Transformer decoder
    Key(
        "MODEL.MASK_FORMER.TRANSFORMER_DECODER_NAME",
        "MultiScaleMaskedTransformerDecoder",
        "result",
        NAME,
        "registered transformer decoder",
    ),
    Key(
        "MODEL.MASK_FORMER.HIDDEN_DIM",
        256,
        "result",
        whole(4, MAX_CHANNELS, "channels", multiple=4),
        "width of queries and attention, channels",
    ),
    Key("MODEL.MASK_FORMER.NUM_OBJECT_QUERIES", 250, "result", whole(1, 10_000, "queries"), "queries for each image"),
    Key("MODEL.MASK_FORMER.NHEADS", 8, "result", whole(1, MAX_CHANNELS, "heads"), "attention heads"),
    Key(
        "MODEL.MASK_FORMER.DIM_FEEDFORWARD",
        2048,
        "result",
        whole(1, MAX_HIDDEN_CHANNELS, "channels"),
        "hidden width of the decoder's FFN, channels",
    ),
    Key(
        "MODEL.MASK_FORMER.DEC_LAYERS",
        10,
        "result",
        whole(1, MAX_LAYERS, "predictions"),
        "predictions: one from the initial queries and one after each decoder layer",
    ),
    Key("MODEL.MASK_FORMER.DROPOUT", 0.0, "training", between(0, 1), "dropout probability in both transformers, 0-1"),
    Key(
        "MODEL.MASK_FORMER.SAM_QUERY_FUSE_LAYER",
        2,
        "result",
        whole(-1, 2),
        "scale (0-2) after which the query injector adds SAM features to the queries; -1: never",
    ),
    Key(
        "MODEL.MASK_FORMER.SAM_FEATURE_FUSE_LAYER",
        0,
        "result",
        whole(-1, 2),
        "scale (0-2) at which the feature injector adds SAM features to the CLIP features; -1: never",
    ),
    Key(
        "MODEL.MASK_FORMER.SIZE_DIVISIBILITY",
        32,
        "result",
        whole(1, 4_096, "pixels"),
        "batches are padded to a multiple of it, pixels",
    ),
    # Criterion
    Key("MODEL.MASK_FORMER.DEEP_SUPERVISION", True, "training", SWITCH, "supervise every intermediate prediction"),
    Key(
        "MODEL.MASK_FORMER.NO_OBJECT_WEIGHT",
        0.1,
        "training",
        LOSS_WEIGHT,
        "weight of the void class in the classification loss",
    ),
    Key(
        "MODEL.MASK_FORMER.CLASS_WEIGHT",
        2.0,
        "training",
        LOSS_WEIGHT,
        "weight of the classification loss and matching cost",
    ),
    Key(
        "MODEL.MASK_FORMER.MASK_WEIGHT",
        5.0,
        "training",
        LOSS_WEIGHT,
        "weight of the mask cross-entropy loss and matching cost",
    ),
    Key("MODEL.MASK_FORMER.DICE_WEIGHT", 5.0, "training", LOSS_WEIGHT, "weight of the dice loss and matching cost"),
    Key(
        "MODEL.MASK_FORMER.TRAIN_NUM_POINTS",
        12544,
        "training",
        whole(1, 1_000_000, "points"),
        "points at which masks are compared",
    ),
    Key(
        "MODEL.MASK_FORMER.OVERSAMPLE_RATIO",
        3.0,
        "training",
        between(1, 100),
        "candidate points for each sampled point",
    ),
    Key(
        "MODEL.MASK_FORMER.IMPORTANCE_SAMPLE_RATIO",
        0.75,
        "training",
        between(0, 1),
        "fraction of the points that are the most uncertain candidates, 0-1",
    ),
    # Post-processing
    Key("MODEL.MASK_FORMER.TEST.SEMANTIC_ON", True, "result", SWITCH, "semantic segmentation output"),
    Key("MODEL.MASK_FORMER.TEST.INSTANCE_ON", True, "result", SWITCH, "instance segmentation output"),
    Key("MODEL.MASK_FORMER.TEST.PANOPTIC_ON", True, "result", SWITCH, "panoptic segmentation output"),
    Key(
        "MODEL.MASK_FORMER.TEST.RECALL_ON",
        False,
        "result",
        SWITCH,
        "output of all masks whatever their class, for recall",
    ),
    Key(
        "MODEL.MASK_FORMER.TEST.OBJECT_MASK_THRESHOLD",
        0.0,
        "result",
        between(0, 1),
        "panoptic: queries with a class score below it are dropped, 0-1",
    ),
    Key(
        "MODEL.MASK_FORMER.TEST.OVERLAP_THRESHOLD",
        0.8,
        "result",
        between(0, 1),
        "panoptic: segments that keep a smaller fraction of their mask are dropped, 0-1",
    ),
    Key(
        "MODEL.MASK_FORMER.TEST.SEM_SEG_POSTPROCESSING_BEFORE_INFERENCE",
        False,
        "result",
        SWITCH,
        "resize masks to the target size before semantic post-processing, also if it is the only output",
    ),
)
