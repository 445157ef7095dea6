"""Manifest of an exported model: everything beside the graphs that a runtime needs, and the provenance of the files."""

import hashlib
import importlib.metadata
import platform
from pathlib import Path
from typing import Any

from frozenseg import __version__
from frozenseg.atomic import write_json, write_text
from frozenseg.export.graphs import TEXT_INPUTS, TEXT_OUTPUTS, ImageGraph, ImageInputs
from frozenseg.export.onnx_file import OPSET
from frozenseg.export.options import ExportOptions
from frozenseg.export.runtime_files import FORMAT, MANIFEST, MANIFEST_HASH, VERSION
from frozenseg.file_hash import sha256_of
from frozenseg.inference.predictor import Segmenter
from frozenseg.modeling.frozen import hash_of
from frozenseg.vocabulary import TEMPLATES, Vocabulary
from frozenseg.vocabulary.names import normal_name

VERSIONED = ("torch", "onnx", "onnxscript", "onnxruntime", "tokenizers", "open_clip_torch")


def manifest_of(segmenter: Segmenter, graph: ImageGraph, options: ExportOptions) -> dict[str, Any]:
    """Return the manifest of an export, without its files and checks.

    Args:
        segmenter: the exported model with its rules.
        graph: its image graph.
        options: of the export.
    """
    origin = segmenter.origin
    return {
        "format": FORMAT,
        "version": VERSION,
        **options.as_dict(),
        "graphs": {
            "image": {"inputs": list(ImageInputs._fields), "outputs": list(graph.outputs), "stages": []},
            "text": {"inputs": list(TEXT_INPUTS), "outputs": list(TEXT_OUTPUTS)},
            "opset": OPSET if options.kind == "onnx" else None,
        },
        "model": {
            "weights": Path(origin.weights).name if origin is not None else "",
            "architecture": type(segmenter.model).__name__,
            "hashes": weight_hashes(segmenter),
            "config": origin.config.dump() if origin is not None else "",
        },
        "versions": versions(),
        "templates": list(TEMPLATES),
        "vocabulary": _vocabulary(options.vocabulary),
        **_rules(segmenter, options),
    }


def weight_hashes(segmenter: Segmenter) -> dict[str, str]:
    """Return the hashes of the frozen encoders' weights, and of all others as ``trained``."""
    model = segmenter.model
    frozen = tuple(f"{name}." for name in model.frozen_parts())
    trained = {name: value for name, value in model.state_dict().items() if not name.startswith(frozen)}
    return {**model.frozen_hashes(), "trained": hash_of(trained)}


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages that take part."""
    installed = {}
    for name in VERSIONED:
        try:
            installed[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"frozenseg": __version__, "python": platform.python_version(), **installed}


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write a manifest to a folder, and its SHA-256 as ``sha256sum --check`` reads it."""
    write_json(folder / MANIFEST, manifest, indent=1)
    write_text(folder / MANIFEST_HASH, f"{sha256_of(folder / MANIFEST)}  {MANIFEST}\n")


def file_entries(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the number of bytes and the SHA-256 of each file of a folder but the manifest."""
    files = sorted(path for path in folder.iterdir() if path.name not in (MANIFEST, MANIFEST_HASH))
    return {path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in files}


def identity_of(folder: Path) -> str:
    """Return the SHA-256 (first 16 hex digits) of a folder's manifest, which has the hashes of all files."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()[:16]


def _rules(segmenter: Segmenter, options: ExportOptions) -> dict[str, Any]:
    """Return the settings of pre- and post-processing and of the class rules."""
    model, rules, instance_rule = segmenter.model, segmenter.class_rules, segmenter.instance_rule
    postprocessor = model.postprocessor
    negatives = () if rules.negatives is None else rules.negatives.classes
    return {
        "preprocessing": {
            "shortest": segmenter.resize.shortest,
            "longest": segmenter.resize.longest,
            "divisibility": model.size_divisibility,
            "size": None if options.size is None else list(options.size),
        },
        "postprocessing": {
            "score_threshold": postprocessor.score_threshold,
            "overlap_threshold": postprocessor.overlap_threshold,
            "detections": postprocessor.detections,
            "one_class": instance_rule.one_class,
            "mask_nms": instance_rule.mask_nms if instance_rule.clean else 1.0,
            "min_score": instance_rule.min_score,
        },
        "classes": {
            "seen": sorted({normal_name(name) for name in model.training_vocabulary.synonyms}),
            "negatives": [list(names) for names in negatives],
            "negatives_up_to": rules.negatives_up_to,
            "negative_weight": rules.negative_weight,
            "min_evidence": rules.min_evidence,
            "background": list(rules.background),
        },
    }


def _vocabulary(vocabulary: Vocabulary | None) -> dict[str, Any] | None:
    if vocabulary is None:
        return None
    return {"classes": [list(names) for names in vocabulary.classes], "isthing": list(vocabulary.isthing)}
