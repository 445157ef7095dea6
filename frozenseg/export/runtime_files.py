"""Files of an exported model and images, opened and verified for the runtime."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

FORMAT, VERSION = "frozenseg-export", 2
MANIFEST, MANIFEST_HASH = "manifest.json", "manifest.sha256"
CPU = ("CPUExecutionProvider",)


class ExportedFileError(ValueError):
    """Folder of an exported model that is incomplete, damaged or of another version, or input that it cannot take."""


def open_export(folder: Path) -> dict[str, Any]:
    """Return the manifest of an exported model for onnxruntime, whose files have the hashes that it states.

    Raises:
        ExportedFileError: the folder is incomplete, damaged, of another version or of another format.
    """
    manifest = read_manifest(folder)
    if manifest["kind"] != "onnx":
        raise ExportedFileError(f"{folder} holds a model of format {manifest['kind']!r}, expected 'onnx'.")
    check_hashes(folder, manifest)
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of an exported model, whose files have the sizes that it states.

    Raises:
        ExportedFileError: the folder is incomplete, damaged or of another version.
    """
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
        manifest: dict[str, Any] = json.loads(content)
        kind, version = manifest["format"], manifest["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportedFileError(
            f"{path} cannot be read ({type(error).__name__}): name a folder that `frozenseg export` has written."
        ) from error
    if (kind, version) != (FORMAT, VERSION):
        raise ExportedFileError(
            f"{path} has version {version!r} of format {kind!r}, expected version {VERSION} of {FORMAT!r}: export "
            "again with this version of frozenseg."
        )
    stated = folder / MANIFEST_HASH
    expected = [hashlib.sha256(content).hexdigest().encode(), MANIFEST.encode()]
    if not stated.is_file() or stated.read_bytes().split() != expected:
        raise ExportedFileError(f"{path} has not the SHA-256 that {stated.name} states: copy the whole folder again.")
    for name, entry in _data_files(manifest):
        actual, size = (folder / name).stat().st_size if (folder / name).is_file() else None, entry["bytes"]
        if actual != size:
            received = "is missing" if actual is None else f"has {actual} bytes"
            raise ExportedFileError(f"{folder / name} {received}, expected {size} bytes: copy the whole folder again.")
    return manifest


def check_hashes(folder: Path, manifest: dict[str, Any]) -> None:
    """Check that the files of an exported model have the hashes that its manifest states.

    Raises:
        ExportedFileError: a file is damaged.
    """
    for name, entry in _data_files(manifest):
        digest = hashlib.sha256()
        with (folder / name).open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
        if digest.hexdigest() != entry["sha256"]:
            raise ExportedFileError(f"{folder / name} has not the SHA-256 of {MANIFEST}: copy the whole folder again.")


def _data_files(manifest: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Return name, size and hash of all files but this code, which may be changed."""
    return [(name, entry) for name, entry in manifest["files"].items() if not name.endswith(".py")]


def open_session(path: Path, providers: Sequence[str], threads: int) -> Any:
    """Return the onnxruntime session of a graph.

    Raises:
        ExportedFileError: onnxruntime cannot load it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    try:
        return onnxruntime.InferenceSession(str(path), options, list(providers))
    except Exception as error:  # noqa: BLE001 (onnxruntime's exceptions have no common base)
        reason = str(error).splitlines()[0]
        raise ExportedFileError(f"{path} cannot be loaded ({reason}): export again.") from error


def open_text(folder: Path, providers: Sequence[str], threads: int) -> tuple[Any, Any]:
    """Return the session of the text graph, and its tokenizer, which pads with 0."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding(pad_id=0)
    return open_session(folder / "text.onnx", providers, threads), tokenizer


def open_image(image: Any) -> Image.Image:
    """Return the upright RGB image of a path, a PIL image, or an array (height, width, 3) uint8.

    Raises:
        ExportedFileError: it cannot be decoded.
    """
    try:
        opened = Image.fromarray(image) if isinstance(image, np.ndarray) else image
        if not isinstance(opened, Image.Image):
            opened = Image.open(opened)
        return ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, TypeError, ValueError, Image.DecompressionBombError) as error:
        raise ExportedFileError(f"The image {image!r:.80} cannot be decoded ({error}).") from error
