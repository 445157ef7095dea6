"""Keys of the whole run."""

from frozenseg.config.bounds import NAME, PATH, PERIOD, SWITCH, one_of, whole
from frozenseg.config.defaults.key import Key

RUN_KEYS: tuple[Key, ...] = (
    Key("VERSION", 2, "result", one_of(2), "version of the config layout; 2 is the only one"),
    Key(
        "OUTPUT_DIR",
        "./output",
        "output",
        PATH,
        "folder for checkpoints, logs, metrics.json and inference/results.json",
    ),
    Key(
        "SEED",
        -1,
        "training",
        whole(-1, 2**63 - 1),
        "seed of weights, data order and augmentation; -1 draws one and logs it",
    ),
    Key("LOG_PERIOD", 20, "output", PERIOD, "training steps between lines of the log and of metrics.json"),
    Key(
        "LOG_PICTURE_PERIOD",
        1000,
        "output",
        PERIOD,
        "training steps between drawings of the same four test images with ground truth and prediction; 0: none",
        engine_only=True,
    ),
    Key(
        "LOG_WANDB_PROJECT",
        "",
        "output",
        NAME,
        "project of Weights & Biases to log to as well (pip install 'frozenseg[wandb]'); empty: none",
        engine_only=True,
    ),
    Key("CUDNN_BENCHMARK", False, "cost", SWITCH, "let cuDNN time its algorithms for each new input size"),
)
