"""Keys of SOLVER: optimiser, schedule, precision and checkpoints."""

from frozenseg.config.bounds import MAX_STEPS, NAME, PERIOD, SWITCH, Lists, Numbers, above, between, one_of, whole
from frozenseg.config.defaults.key import Key

WEIGHT_DECAY = between(0, 1_000)

SOLVER_KEYS: tuple[Key, ...] = (
    Key("SOLVER.OPTIMIZER", "ADAMW", "training", one_of("ADAMW", "SGD"), "ADAMW or SGD"),
    Key("SOLVER.IMS_PER_BATCH", 16, "training", whole(1, 1_000_000, "images"), "images for each step, over all GPUs"),
    Key(
        "SOLVER.IMAGES_AT_ONCE",
        0,
        "cost",
        whole(0, 1_000_000, "images"),
        "images that a GPU processes at once, with gradients summed over its part of the step; 0: all of its part",
    ),
    Key("SOLVER.MAX_ITER", 368750, "training", whole(1, MAX_STEPS, "steps"), "training steps"),
    Key("SOLVER.BASE_LR", 1e-4, "training", above(0, 1_000), "learning rate"),
    Key(
        "SOLVER.LR_SCHEDULER_NAME",
        "WarmupMultiStepLR",
        "training",
        one_of("WarmupMultiStepLR", "WarmupCosineLR"),
        "WarmupMultiStepLR or WarmupCosineLR",
    ),
    Key(
        "SOLVER.STEPS",
        [327778, 355092],
        "training",
        Lists(whole(1, MAX_STEPS, "steps"), ascending=True),
        "iterations at which the learning rate drops (multi-step)",
    ),
    Key("SOLVER.GAMMA", 0.1, "training", between(0, 1), "factor of each drop (multi-step)"),
    Key("SOLVER.BASE_LR_END", 0.0, "training", between(0, 1_000), "learning rate at the end (cosine)"),
    Key("SOLVER.WARMUP_FACTOR", 1.0, "training", between(0, 1), "learning rate of the first step, as a factor"),
    Key("SOLVER.WARMUP_ITERS", 10, "training", PERIOD, "steps of linear warm-up"),
    Key("SOLVER.WEIGHT_DECAY", 0.05, "training", WEIGHT_DECAY, "weight decay"),
    Key("SOLVER.WEIGHT_DECAY_NORM", 0.0, "training", WEIGHT_DECAY, "weight decay of normalisation layers"),
    Key("SOLVER.WEIGHT_DECAY_EMBED", 0.0, "training", WEIGHT_DECAY, "weight decay of embeddings"),
    Key(
        "SOLVER.BACKBONE_MULTIPLIER",
        0.1,
        "training",
        between(0, 1_000),
        "factor of the learning rate for trainable backbone parameters",
    ),
    Key("SOLVER.MOMENTUM", 0.9, "training", between(0, 1), "momentum (SGD)"),
    Key("SOLVER.CLIP_GRADIENTS.ENABLED", True, "training", SWITCH, "clip gradients"),
    Key(
        "SOLVER.CLIP_GRADIENTS.CLIP_TYPE",
        "full_model",
        "training",
        one_of("full_model"),
        "full_model: one norm over all parameters",
    ),
    Key("SOLVER.CLIP_GRADIENTS.CLIP_VALUE", 0.01, "training", above(0, 1_000_000), "largest gradient norm"),
    Key(
        "SOLVER.CLIP_GRADIENTS.NORM_TYPE",
        2.0,
        "training",
        Numbers(1, 10, infinite=True),
        "order of the norm",
    ),
    Key("SOLVER.AMP.ENABLED", True, "training", SWITCH, "mixed precision"),
    Key(
        "SOLVER.AMP.DTYPE",
        "float16",
        "training",
        one_of("float16", "bfloat16"),
        "float16 (on CUDA; float32 on the CPU) or bfloat16 (also on the CPU)",
        engine_only=True,
    ),
    Key(
        "SOLVER.MAX_BAD_STEPS",
        10,
        "cost",
        whole(1, MAX_STEPS, "steps"),
        "steps in a row with a loss or gradient that is not finite, after which training ends with a dump for "
        "tools/replay_step.py; fewer are skipped without an update",
        engine_only=True,
    ),
    Key("SOLVER.CHECKPOINT_PERIOD", 5000, "output", PERIOD, "iterations between checkpoints"),
    Key(
        "SOLVER.KEEP_CHECKPOINTS.LAST",
        3,
        "output",
        whole(0, 1_000_000, "checkpoints"),
        "number of newest checkpoints to keep; 0: all",
        engine_only=True,
    ),
    Key(
        "SOLVER.KEEP_CHECKPOINTS.EVERY",
        0,
        "output",
        PERIOD,
        "also keep checkpoints at multiples of this number of iterations; 0: none",
        engine_only=True,
    ),
    Key(
        "SOLVER.KEEP_CHECKPOINTS.BEST",
        "",
        "output",
        NAME,
        "also keep the checkpoint that scores highest in this metric, such as toyworld_val_seen/panoptic_seg/PQ; "
        "empty: none",
        engine_only=True,
    ),
)
