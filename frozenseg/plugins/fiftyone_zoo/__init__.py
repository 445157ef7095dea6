"""Source of models for FiftyOne's remote zoo: ``manifest.json`` beside this file, and the functions that it calls.

Example::

    foz.register_zoo_model_source("https://github.com/ORG/REPOSITORY")
    model = foz.load_zoo_model("frozenseg-toyworld", classes="red circle; blue square; water", stuff="water")
    dataset.apply_model(model, label_field="frozenseg")

FiftyOne copies this folder; the code of the models is that of the installed package.
"""

from pathlib import Path
from typing import Any

from frozenseg.atomic import write_text
from frozenseg.errors import ConfigError

PREFIX = "frozenseg-"  # of names in the manifest; the rest is a name of `frozenseg models`


def download_model(model_name: str, model_path: str) -> None:
    """Download the weights of a model into the package's cache, and write their name as the model file.

    Args:
        model_name: of the manifest.
        model_path: file that FiftyOne expects.

    Raises:
        DownloadError: the weights cannot be downloaded.
    """
    from frozenseg.modeling.pretrained import weights_file

    name = model_name.removeprefix(PREFIX)
    weights_file(name)
    write_text(Path(model_path), name)


def load_model(
    model_name: str,
    model_path: str | None = None,
    classes: str = "",
    stuff: str = "",
    weights: str = "",
    device: str = "auto",
    **settings: Any,
) -> Any:
    """Return the model.

    Args:
        model_name: of the manifest.
        model_path: file of :func:`download_model`.
        classes: ``"cat,kitten; dog"``, the name of a benchmark, or ``auto``; empty for those that the model knows.
        stuff: first names of the classes that are not countable.
        weights: other weights, as for :meth:`Segmenter.from_pretrained`.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``auto``.
        **settings: ``output`` and ``min_score`` of ``FiftyOneModel``.

    Raises:
        ConfigError: FiftyOne is not installed, or no class names.
    """
    del model_path
    from frozenseg.inference.predictor import Segmenter
    from frozenseg.modeling.pretrained import trained_model

    try:
        from frozenseg.plugins.fiftyone_model import FiftyOneModel
    except ImportError as error:
        raise ConfigError(f"The model needs FiftyOne ({error}): pip install fiftyone.") from error
    name = weights or model_name.removeprefix(PREFIX)
    entry = trained_model(name)
    chosen = classes or ("" if entry is None else entry.usual_classes) or "auto"
    segmenter = Segmenter.from_pretrained(name, device=device)
    return FiftyOneModel(segmenter, segmenter.vocabulary_of(chosen, stuff), **settings)
