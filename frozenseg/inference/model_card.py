"""Model card: ``README.md`` of a folder of a trained model, as the Hugging Face hub shows it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from frozenseg.config import CfgNode
from frozenseg.errors import DataError
from frozenseg.modeling.load_weights import trained_tensors
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.structures.json_files import read_json
from frozenseg.vocabulary import Vocabulary

UNSTATED = "not stated"
SHOWN_CLASSES = 12
BENCHMARK_EXTRAS = ("per_class", "about")  # in results.json, next to the tasks
MAIN_METRICS = ("PQ", "mIoU", "AP", "APr", "fwIoU")
Results = Mapping[str, Mapping[str, Mapping[str, Any]]]  # benchmark → task → metric → percent


def model_card(model: SegmentationModel, cfg: CfgNode, source: str, licence: str, results: Results) -> str:
    """Return the text of a card.

    Args:
        model: the trained model.
        cfg: its resolved config.
        source: of the model, for the line of code that loads it.
        licence: of the weights; empty if it is not stated.
        results: scores in percent; may be empty.
    """
    encoders = f"CLIP {cfg.MODEL.CLIP.CLIP_MODEL_NAME}"
    if cfg.MODEL.META_ARCHITECTURE == "FrozenSeg":
        encoders += f" and SAM {cfg.MODEL.SAM_NAME}"
    count = sum(value.numel() for value in trained_tensors(model).values())
    blocks = [
        _front_matter(licence),
        f"# {cfg.MODEL.META_ARCHITECTURE} with {encoders}",
        "Open-vocabulary segmentation: panoptic, instance and semantic masks of any categories that are named in text.",
        _example(source, model.training_vocabulary),
        f"Trained parameters: {count:,}. Frozen encoders: {encoders}; an encoder that has a public name is not in the "
        "file and is downloaded when the model is built.",
        _classes(model.training_vocabulary),
        f"Licence of the weights: {licence or UNSTATED}.",
        "## Scores",
        scores_table(results) if results else "No scores were recorded with these weights.",
    ]
    return "\n\n".join(blocks)


def _example(source: str, vocabulary: Vocabulary) -> str:
    text = "; ".join(vocabulary.names[:3])
    return (
        f'```python\nfrom frozenseg import Segmenter\n\nsegmenter = Segmenter.from_pretrained("{source}")\n'
        f'segmenter("image.jpg", "{text}").save("masks")\n```'
    )


def _classes(vocabulary: Vocabulary) -> str:
    names = vocabulary.names
    surplus = f" and {len(names) - SHOWN_CLASSES} more" if len(names) > SHOWN_CLASSES else ""
    return (
        f"Trained on {len(names)} classes ({vocabulary.isthing.count(True)} countable): "
        f"{', '.join(names[:SHOWN_CLASSES])}{surplus}. `vocabulary.json` lists all with their synonyms; `config.yaml` "
        "is a copy of the config in the weights."
    )


def scores_table(results: Results) -> str:
    """Return the main scores of each benchmark as a Markdown table, in percent."""
    rows = []
    for benchmark, tasks in results.items():
        for task, metrics in tasks.items():
            if task in BENCHMARK_EXTRAS:
                continue
            main = {name: metrics[name] for name in MAIN_METRICS if isinstance(metrics.get(name), (int, float))}
            rows += [[benchmark, task, name, f"{value:.1f}"] for name, value in main.items()]
    headers = ["benchmark", "task", "metric", "percent"]
    return str(tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True))


def read_results(source: str | Path | Results | None) -> Results:
    """Return the results of an evaluation for a card.

    Args:
        source: ``results.json`` of an evaluation, its content, or None for none.

    Raises:
        DataError: the file is missing or damaged, or has no scores by benchmark and task.
    """
    if source is None:
        return {}
    content = source if isinstance(source, Mapping) else read_json(source, "results")
    is_results = isinstance(content, Mapping) and all(
        isinstance(tasks, Mapping) and all(isinstance(metrics, Mapping) for metrics in tasks.values())
        for tasks in content.values()
    )
    if not is_results:
        label = "The mapping" if isinstance(source, Mapping) else source
        raise DataError(f"{label} has no scores by benchmark and task: pass results.json of an evaluation.")
    return dict(content)


def _front_matter(licence: str) -> str:
    lines = ["library_name: frozenseg", "pipeline_tag: image-segmentation", "tags: [open-vocabulary, panoptic]"]
    if licence:
        lines.insert(0, f"license: {licence.lower()}")
    return "\n".join(["---", *lines, "---"])
