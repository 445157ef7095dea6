"""Export of a segmenter's model to a folder: two graphs, tokenizer, embeddings, manifest and runtime."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.export import ExportedProgram

from frozenseg.errors import ConfigError
from frozenseg.export import runtime, runtime_classes, runtime_files, runtime_outputs
from frozenseg.export.check import CheckReport, Reference, check_files, reference_of
from frozenseg.export.graphs import TEXT_INPUTS, ImageGraph, ImageInputs, TextGraph
from frozenseg.export.int8_weights import quantize_trunks
from frozenseg.export.manifest import file_entries, manifest_of, write_manifest
from frozenseg.export.onnx_file import keep_outputs, onnx_model, save_onnx
from frozenseg.export.options import DTYPE_NAMES, GRAPH_SUFFIXES, ExportOptions
from frozenseg.export.programs import GraphSize, example_inputs, image_program, text_program
from frozenseg.export.runtime_files import FORMAT, MANIFEST, MANIFEST_HASH
from frozenseg.export.tokenizer_file import write_tokenizer
from frozenseg.inference.predictor import Segmenter
from frozenseg.log import get_logger
from frozenseg.modeling.frozen import precision_named

logger = get_logger(__name__)


def export_segmenter(
    segmenter: Segmenter,
    folder: Path,
    options: ExportOptions,
    check_images: Sequence[Image.Image] = (),
    overwrite: bool = False,
) -> CheckReport:
    """Write the model of a segmenter to a folder, which is complete or absent.

    Args:
        segmenter: on the CPU; with ``precision`` or ``int8`` its model is changed.
        folder: of the files.
        options: of the export.
        check_images: images that the model and the files segment, for a comparison of all stages.
        overwrite: replace an earlier export in the folder.

    Returns:
        The comparison; without rows if there are no images.

    Raises:
        ConfigError: a package is missing, the model is in a lower precision, or the folder has files of something
            else, or an export.
    """
    options.require_packages()
    folder = folder.resolve()  # "." and links have no name to rename to
    require_export_folder(folder, overwrite)
    if any(part.precision != torch.float32 for part in segmenter.model.frozen_parts().values()):
        raise ConfigError(
            "The model to export has a MODEL.FROZEN_DTYPE: leave it float32, and use --precision or --int8."
        )
    if segmenter.model.ensemble_settings.proposals is not None:
        logger.warning("The SAM proposals are not exported: the files give the results of sam_masks=False.")
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        manifest = manifest_of(segmenter, ImageGraph(segmenter.model), options)
        references = [reference_of(segmenter, image, options, manifest["preprocessing"]) for image in check_images]
        manifest["graphs"]["image"]["stages"] = _write_graphs(segmenter, temporary, options)
        _write_embeddings(segmenter, temporary, options)
        write_tokenizer(segmenter.model.backbone.tokenizer, temporary / "tokenizer.json")
        _write_runtime(temporary)
        report = _finish(segmenter, temporary, manifest, references)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return report


def require_export_folder(folder: Path, overwrite: bool) -> None:
    """Check that a folder is free for an export.

    Raises:
        ConfigError: it has an export and ``overwrite`` is False, or files of something else.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    exported = _exported_names(folder)
    if not exported:
        raise ConfigError(f"--output {folder} exists and is no exported model: choose another folder.")
    if others := sorted(path.name for path in folder.iterdir() if path.name not in exported):
        raise ConfigError(
            f"--output {folder} has an exported model and {', '.join(others[:5])}, which would be deleted: choose "
            "another folder."
        )
    if not overwrite:
        raise ConfigError(f"--output {folder} has an exported model: choose another folder, or add --overwrite.")


def _exported_names(folder: Path) -> set[str]:
    """Return the names that an export has written to a folder; none if it is of something else."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {MANIFEST, MANIFEST_HASH, "__pycache__", *manifest["files"]} if manifest["format"] == FORMAT else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _finish(
    segmenter: Segmenter, folder: Path, manifest: dict[str, Any], references: Sequence[Reference]
) -> CheckReport:
    """Write the manifest, compare the files with the model, and write the manifest again with the result."""
    manifest["files"] = file_entries(folder)
    manifest["checks"] = None
    write_manifest(folder, manifest)
    report = check_files(segmenter, folder, manifest, references)
    if references:
        manifest["checks"] = report.as_dict()
        write_manifest(folder, manifest)
    return report


@torch.no_grad()
def _write_graphs(segmenter: Segmenter, folder: Path, options: ExportOptions) -> list[str]:
    """Write both graphs; returns the names of the image graph's intermediate values."""
    model = segmenter.model
    if options.int8:
        logger.info("Quantised %d weights of the frozen image trunks.", quantize_trunks(model))
    model.set_frozen_precision(precision_named(DTYPE_NAMES[options.precision]))
    size = GraphSize(options.size, model.size_divisibility)
    graph = ImageGraph(model, with_stages=options.kind == "onnx")
    graph(*example_inputs(size, model.backbone.embed_dim))  # weights are cast at the first call
    program = image_program(graph, size)
    stages = _write_program(
        program, folder / f"image{GRAPH_SUFFIXES[options.kind]}", options, ImageInputs._fields, graph
    )
    text = TextGraph(model.backbone)
    _write_program(text_program(text), folder / f"text{GRAPH_SUFFIXES[options.kind]}", options, TEXT_INPUTS)
    return stages


def _write_program(
    program: ExportedProgram, path: Path, options: ExportOptions, inputs: Sequence[str], graph: ImageGraph | None = None
) -> list[str]:
    if options.kind == "torch-export":
        torch.export.save(program, path)
        return []
    if options.kind == "aoti":
        from torch._inductor import aoti_compile_and_package

        aoti_compile_and_package(program, package_path=str(path))
        return []
    model = onnx_model(program, inputs)
    stages = keep_outputs(model, graph.outputs) if graph is not None else ()
    save_onnx(model, path)
    return list(stages)


def _write_runtime(folder: Path) -> None:
    """Write the files of the runtime, which import each other without this package."""
    for module in (runtime, runtime_classes, runtime_files, runtime_outputs):
        source = Path(str(module.__file__))
        text = source.read_text(encoding="utf-8").replace("from frozenseg.export.runtime", "from runtime")
        (folder / source.name).write_text(text, encoding="utf-8")


@torch.no_grad()
def _write_embeddings(segmenter: Segmenter, folder: Path, options: ExportOptions) -> None:
    """Write the embeddings of void, of the negatives, and of the vocabulary."""
    model = segmenter.model
    negatives = segmenter.class_rules.negatives
    names = [classes[0] for classes in negatives.classes] if negatives is not None else []
    names += options.vocabulary.synonyms if options.vocabulary is not None else ()
    names = list(dict.fromkeys(names))
    width = model.backbone.embed_dim
    embeddings = model.text_classifier.embed(tuple(names)).numpy() if names else np.zeros((0, width), np.float32)
    void = F.normalize(model.void_embedding.weight, dim=-1).numpy()
    with (folder / "embeddings.npz").open("wb") as file:
        np.savez(file, void=void, names=np.array(names, dtype=str), embeddings=embeddings)
