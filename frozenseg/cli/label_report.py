"""Report of the verb label: counts, files, and the commands that train and evaluate on the data set."""

import shlex
from collections.abc import Mapping
from pathlib import Path

import yaml

from frozenseg.atomic import write_text
from frozenseg.cli.image_job import named_write_failure
from frozenseg.cli.model_choice import ModelChoice
from frozenseg.cli.run_report import RunFiles, print_report, report_json, report_text
from frozenseg.inference.data_split import TRAIN, VAL
from frozenseg.inference.image_run import RunReport
from frozenseg.inference.labelled_data import data_set_name
from frozenseg.log import get_logger

logger = get_logger(__name__)
TRAINING_CONFIG, MODEL_CONFIG = "training.yaml", "model.yaml"
TRAINED = "model_final.pth"  # weights at the end of a training


def print_label_report(report: RunReport, results: RunFiles, model: ModelChoice, as_json: bool) -> None:
    """Print counts, files and commands; write the config of a training.

    Args:
        report: of the run.
        results: files of each split, and of the review.
        model: that has labelled the images, from which a training starts.
        as_json: print JSON.
    """
    folder = results.folder
    names = {
        split: data_set_name(folder, next(path for path in paths if path.suffix == ".json"), f"{folder.name}_{split}")
        for split, paths in results.files.items()
        if split in (TRAIN, VAL)
    }
    commands = {}
    if TRAIN in names:
        config: Path = named_write_failure(lambda: write_training_config(folder, names, model), folder)
        commands = training_commands(config, folder, VAL in names)
    if TRAIN in names and VAL not in names:
        logger.warning("No image is for validation: the training is not evaluated; raise --val-fraction.")
    text = [report_text(report, results)]
    text += [f"{title}:\n  {command}" for title, command in commands.items()]
    content = {**report_json(report, results), "data_sets": names, "commands": commands}
    print_report("\n".join(text), content, as_json)


def write_training_config(folder: Path, names: Mapping[str, str], model: ModelChoice) -> Path:
    """Write the config of a training on the data set, which starts from the weights that have labelled it.

    Args:
        folder: of the data set; the training writes to its subfolder ``training``.
        names: names of the data sets by split.
        model: that has labelled the images.

    Returns:
        The config file.
    """
    base = model.config_name()
    if not base:
        base = str((folder / MODEL_CONFIG).absolute())
        write_text(base, model.config_text())
    content = {
        "_BASE_": base if not Path(base).is_file() else str(Path(base).absolute()),
        "MODEL": {"WEIGHTS": _absolute_if_file(model.weights)},
        "DATASETS": {"TRAIN": [names[TRAIN]], "TEST": [names[VAL]] if VAL in names else []},
        "OUTPUT_DIR": str((folder / "training").absolute()),
    }
    path = folder / TRAINING_CONFIG
    write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=10_000))
    return path


def training_commands(config: Path, folder: Path, has_validation: bool) -> dict[str, str]:
    """Return the commands for training and evaluation, by their purpose.

    Args:
        config: of the training.
        folder: of the data set.
        has_validation: True if there are images for validation.
    """
    base = ["--config", str(config)]
    commands = {"train": shlex.join(["frozenseg", "train", *base])}
    if has_validation:
        weights = ["--weights", str(folder / "training" / TRAINED)]
        output = ["OUTPUT_DIR", str(folder / "evaluation")]
        commands["evaluate"] = shlex.join(["frozenseg", "eval", *base, *weights, *output])
    return commands


def _absolute_if_file(weights: str | None) -> str:
    path = Path(weights or "").expanduser()
    return str(path.absolute()) if weights and path.exists() else weights or ""
