"""Diagnosis of an installation for ``frozenseg doctor``: versions, devices, extras, data sets, weights and caches."""

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from frozenseg import __version__

Facts = dict[str, Any]  # serialisable as JSON
DISTRIBUTION_NAME = "frozenseg"
DETECTRON2_PAGE = "https://detectron2.readthedocs.io/en/latest/tutorials/install.html"
PURPOSE_OF_EXTRA = {  # extras of pyproject.toml, all but dev
    "completion": "completion of verbs and flags in the shell (INSTALL.md)",
    "plot": "plots of ablations",
    "train": "TensorBoard files of a training",
    "wandb": "logging to Weights & Biases",
    "eval": "official scores of Cityscapes and LVIS, a faster AP",
    "slurm": "trainings as SLURM jobs",
    "video": "video files as input",
    "gdrive": "downloads from Google Drive",
    "hub": "weights from and to the Hugging Face hub",
    "cvat": "a segmenter as auto-annotation function of CVAT",
    "serve": "the server: frozenseg serve",
    "export": "ONNX files: frozenseg export, segment --runtime onnx",
    "supervision": "results as supervision.Detections",
    "detectron2": "training in Detectron2's loop (--engine detectron2)",
}


def installation_facts() -> Facts:
    """Return all facts, and under ``missing`` each missing part with its purpose and the command that brings it."""
    facts: Facts = {
        "frozenseg": {"version": __version__, "folder": str(Path(__file__).parents[1])},
        "python": {
            "version": platform.python_version(),
            "executable": sys.executable,
            "system": platform.platform(),
            "cores": os.cpu_count() or 1,
        },
        "packages": required_packages(),
        "torch": torch_facts(),
        "extras": extras(),
    }
    if not facts["torch"]["error"]:  # the rest of the library can be imported
        facts |= {"datasets": dataset_facts(), "weights": weights_facts(), "caches": caches()}
    return {**facts, "missing": list(missing_parts(facts))}


def _requirements() -> list[str]:
    try:
        return importlib.metadata.requires(DISTRIBUTION_NAME) or []
    except importlib.metadata.PackageNotFoundError:  # imported from a folder that was not installed
        return []


def required_packages() -> dict[str, str | None]:
    """Return the installed versions of the required packages; None for missing ones."""
    return _versions(name for name in _requirements() if "extra ==" not in name)


def extras() -> dict[str, Facts]:
    """Return the purpose, the packages with their versions, and the command of each extra."""
    facts: dict[str, Facts] = {}
    for extra, purpose in PURPOSE_OF_EXTRA.items():
        of_extra = [line for line in _requirements() if re.search(rf"extra == ['\"]{extra}['\"]", line)]
        packages = _versions(of_extra)
        command = f'pip install "frozenseg[{extra}]"'
        if extra == "detectron2":
            packages, command = _versions(["detectron2"]), f"see {DETECTRON2_PAGE}"
        installed = bool(packages) and None not in packages.values()
        facts[extra] = {"purpose": purpose, "installed": installed, "packages": packages, "command": command}
    return facts


def _versions(requirements: Iterable[str]) -> dict[str, str | None]:
    names = [re.split(r"[<>=~!; \[(]", requirement)[0] for requirement in requirements]
    return {name: _version_of(name) for name in names}


def _version_of(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def torch_facts() -> Facts:
    """Return the version of torch, its devices with their memory, and the error if it cannot be imported."""
    try:
        torch = importlib.import_module("torch")
        importlib.import_module("torchvision.ops")
    except (ImportError, OSError, RuntimeError) as error:
        return {"version": _version_of("torch"), "cuda": None, "devices": [], "error": " ".join(str(error).split())}
    from frozenseg.device import available_memory

    names = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    devices = [
        {
            "name": name,
            "model": torch.cuda.get_device_name(name) if name != "cpu" else platform.machine(),
            "available_bytes": available_memory(torch.device(name)),
        }
        for name in names
    ]
    return {"version": torch.__version__, "cuda": torch.version.cuda, "devices": devices, "error": ""}


def dataset_facts() -> Facts:
    """Return the folder of the data sets, and for each data set whether its files exist and the command for them."""
    from frozenseg.data.catalog import DatasetCatalog, MetadataCatalog
    from frozenseg.data.metadata import datasets_root

    sets = {}
    for name in DatasetCatalog.list():
        metadata = MetadataCatalog.get(name)
        paths = [metadata.get(field) for field in ("image_root", "panoptic_json", "sem_seg_root", "json_file")]
        is_ready = all(os.path.exists(path) for path in paths if path)
        sets[name] = {"ready": is_ready, "advice": metadata.prepare_command}
    return {"root": str(datasets_root()), "sets": sets}


def weights_facts() -> dict[str, Facts]:
    """Return the file of all weights that have a name, or the command that downloads them."""
    from frozenseg.modeling.model_zoo.weights import CONSENT_FLAG, local_weights, zoo_weights

    facts: dict[str, Facts] = {}
    for entry in zoo_weights():
        file = local_weights(entry)
        command = f"frozenseg models download {entry.name}" + f" {CONSENT_FLAG}" * entry.needs_consent
        facts[entry.name] = {"file": str(file) if file else None, "command": "" if file else command}
    return facts


def caches() -> dict[str, Facts]:
    """Return the folder and the size in bytes of the caches of weights."""
    from frozenseg.downloads.cache_folder import cache_folder

    hub = importlib.import_module("torch").hub.get_dir()
    home = os.environ.get("HF_HOME") or os.path.expanduser("~/.cache/huggingface")
    folders = {
        "downloads ($FROZENSEG_CACHE)": Path(cache_folder()),
        "Hugging Face ($HF_HOME)": Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub")),
        "torch ($TORCH_HOME)": Path(hub),
    }
    return {name: {"folder": str(folder), "bytes": folder_size(folder)} for name, folder in folders.items()}


def folder_size(folder: Path) -> int:
    """Return the size of all files in a folder, links not followed; 0 if it does not exist."""
    paths = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_size for path in paths if os.path.lexists(path))


def missing_parts(facts: Facts) -> Iterator[Facts]:
    """Yield each missing part of a diagnosis: name, purpose, command, and True if nothing works without it.

    Args:
        facts: of :func:`installation_facts`, without ``missing``.
    """
    yield from _missing_packages(facts)
    for extra, of_extra in facts["extras"].items():
        if not of_extra["installed"]:
            yield _part(f"extra {extra}", of_extra["purpose"], of_extra["command"])
    if "datasets" in facts:
        yield from _missing_data(facts["datasets"]["sets"])
    absent = [name for name, of_weights in facts.get("weights", {}).items() if of_weights["file"] is None]
    if absent:
        yield _part(f"{len(absent)} weights", ", ".join(absent), "frozenseg models download NAME")


def _missing_packages(facts: Facts) -> Iterator[Facts]:
    if not facts["packages"]:
        yield _part("installation", "the command and its extras", "pip install -e . in the clone")
    for name, version in facts["packages"].items():
        if version is None:
            yield _part(name, "required package", f"pip install {name}", required=True)
    if error := facts["torch"]["error"]:
        again = "pip install --force-reinstall torch torchvision"
        yield _part("torch", f"cannot be imported: {error}", again, required=True)


def _missing_data(sets: Facts) -> Iterator[Facts]:
    ready = {name for name, of_set in sets.items() if of_set["ready"]}
    if "toyworld_train" not in ready:
        yield _part("ToyWorld", "data for a first training", "frozenseg prepare toyworld")
    if all(name.startswith("toyworld") for name in ready):
        yield _part("benchmarks", "evaluation on real images", "frozenseg prepare --list")


def _part(name: str, purpose: str, command: str, required: bool = False) -> Facts:
    return {"name": name, "purpose": purpose, "command": command, "required": required}
