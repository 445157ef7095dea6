"""Checkpoint files: reads any file of weights into one dictionary without running code from it, and writes ours.

Supported are files of ``torch.save`` (.pth, .pth.tar), plain pickles (.pkl, as in Detectron2's model zoo) and
.safetensors, with the weights bare or in a container such as ``model`` or ``state_dict``. The format is recognised by
the first bytes, not by the name.
"""

import json
import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from frozenseg.atomic import replacing, write_tensors
from frozenseg.errors import CheckpointError, DataError
from frozenseg.log import get_logger
from frozenseg.modeling.pretrained import weights_file
from frozenseg.modeling.weight_checks import refuse_implausible
from frozenseg.modeling.weight_names import find_weights, plain_names, repeated_name
from frozenseg.safe_pickle import ExpandingArchiveError, ForeignClassError, PickledArray, load_pickle, load_torch
from frozenseg.vocabulary import Vocabulary

logger = get_logger(__name__)
SAFETENSORS = ".safetensors"
METADATA = "frozenseg"  # our entry in the metadata of a safetensors file, JSON
FORMAT = 1  # version of that entry
_DESCRIPTION = ("frozen", "vocabulary", "isthing", "config")  # in our checkpoints, next to the weights
STATES = ("trainer", "bad_step")  # in some of our checkpoints
NOT_WEIGHTS = (  # first bytes, and the reason that follows the file's name
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself: run 'git lfs pull'"),
    (b"<", "is a web page, not a file of weights: download the file again from its direct link"),
    (b"{", "is text, not weights: download or copy the file again"),
    (b"\x1f\x8b", "is compressed: unpack it with gunzip"),
)
SAVE_AGAIN = (
    "load the file in the program that wrote it and save the weights alone: "
    "torch.save({'model': model.state_dict()}, 'weights.pth')"
)


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a file of weights without running code from it.

    Args:
        path: .pth, .pth.tar, .pkl or .safetensors; ours, or any file of tensors or numpy arrays by name; or the name of
            a pretrained model, such as ``toyworld``.

    Returns:
        ``model`` (tensors by name on the CPU, in the stored dtype). From our checkpoints also ``frozen`` (hash by
        part), ``vocabulary``, ``isthing``, ``config``, ``trainer`` if training can resume from the file, and
        ``bad_step`` if it holds a training step to replay.

    Raises:
        CheckpointError: the file is missing, damaged, without weights, or cannot be read without running its code.
    """
    path = weights_file(path)
    if not os.path.isfile(path):  # False for a name that is too long, too
        raise CheckpointError(f"There is no checkpoint {path}; pass the path of a .pth, .pkl or .safetensors file.")
    try:
        content = _read(path)
        weights = _weights(content, path)
    except CheckpointError:
        raise
    except Exception as error:  # a damaged pickle can raise any exception
        raise CheckpointError(_message(path, error)) from error
    if not isinstance(content.get("frozen"), dict):
        return {"model": weights}
    described = {key: content[key] for key in (*_DESCRIPTION, *STATES) if key in content}
    _check_description(described, path)
    return {"model": weights, **described}


def trained_vocabulary(checkpoint: Mapping[str, Any]) -> Vocabulary | None:
    """Return the training vocabulary of a checkpoint, or None if the file does not hold it."""
    if "vocabulary" not in checkpoint:
        return None
    return Vocabulary.from_strings(checkpoint["vocabulary"], checkpoint["isthing"])


def write_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint under a temporary name and rename it, so that the file is complete or absent.

    Args:
        path: a ``.safetensors`` file holds the weights and their description, any other file all of ``content``.
        content: as :func:`read_checkpoint` returns it.

    Raises:
        CheckpointError: the file cannot be written.
    """
    try:
        if path.suffix == SAFETENSORS:
            description = {key: content[key] for key in _DESCRIPTION if key in content}
            metadata = {METADATA: json.dumps({"format": FORMAT, **description}, sort_keys=True, ensure_ascii=False)}
            write_tensors(path, content["model"], metadata if description else None)
        else:
            with replacing(path, durable=True) as temporary:
                torch.save(dict(content), temporary)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be written ({error}): free some space, or use another folder.") from error


def _read(path: Path) -> Any:
    with path.open("rb") as file:
        head = file.read(32)
    if not head:
        raise CheckpointError(f"{path} is empty: download or copy it again.")
    if head[4:9] == b"\0\0\0\0{":  # length of the header, less than 4 GiB, and the header
        return _read_safetensors(path)
    if head.startswith(b"PK\3\4") or head.startswith(b"\x80\2\x8a\n"):  # torch's archive, and its older format
        return load_torch(path)
    if head.startswith(b"\x80"):
        with path.open("rb") as file:
            return load_pickle(file)
    for start, reason in NOT_WEIGHTS:
        if head.lstrip().startswith(start):
            raise CheckpointError(f"{path} {reason}.")
    raise CheckpointError(f"{path} is not a file of weights: expected .pth, .pkl or .safetensors.")


def _read_safetensors(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        content: dict[str, Any] = {"model": {name: file.get_tensor(name) for name in file.keys()}}  # noqa: SIM118
        metadata = file.metadata() or {}
    if METADATA in metadata:
        described = json.loads(metadata[METADATA])
        version = described.get("format") if isinstance(described, dict) else None
        if not isinstance(version, int):
            raise CheckpointError(_wrong_entry(path, METADATA, described, "a description with a format, such as 1"))
        if version > FORMAT:
            raise CheckpointError(f"{path} has format {version}, this version reads up to {FORMAT}: update FrozenSeg.")
        content |= {key: described[key] for key in _DESCRIPTION if key in described}
    return content


def _check_description(described: Mapping[str, Any], path: Path) -> None:
    """Raise CheckpointError if the description of a checkpoint of this library has values of other types."""
    for key, kind in {"frozen": dict, "config": str, **dict.fromkeys(STATES, dict)}.items():
        if key in described and not isinstance(described[key], kind):
            raise CheckpointError(_wrong_entry(path, key, described[key], kind.__name__))
    names, flags = described.get("vocabulary", []), described.get("isthing", [])
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise CheckpointError(_wrong_entry(path, "vocabulary", names, "a list of names"))
    if not isinstance(flags, (list, tuple)) or not all(isinstance(flag, bool) for flag in flags):
        raise CheckpointError(_wrong_entry(path, "isthing", flags, "a list of True and False"))
    if "vocabulary" in described or "isthing" in described:
        try:
            Vocabulary.from_strings(names, flags)
        except DataError as error:
            raise CheckpointError(f"{path} has a damaged training vocabulary: {error}") from error


def _wrong_entry(path: Path, key: str, value: object, expected: str) -> str:
    text = repr(value)[:60]
    return f"{path} has {text} ({type(value).__name__}) in its entry {key!r}, expected {expected}: copy it again."


def _weights(content: Any, path: Path) -> dict[str, Tensor]:
    names = sorted(map(_shown, content)) if isinstance(content, Mapping) else [type(content).__name__]
    state, container, others = find_weights(content)
    stored = {_name(name, path): value for name, value in state.items() if _is_weight(value)}
    if not stored:
        raise CheckpointError(
            f"{path} holds no weights: expected tensors by name, bare or under 'model' or 'state_dict', received "
            f"{', '.join(names[:5]) or 'nothing'}."
        )
    tensors = {name: value for name, value in stored.items() if isinstance(value, Tensor)}
    refuse_implausible(tensors, str(path), path.stat().st_size)
    if others:
        logger.warning(
            "%s: the weights in %r are read, those in %s are not; to use these, save them in a file without others.",
            path,
            container,
            ", ".join(map(repr, others)),
        )
    plain = plain_names(list(stored))
    if repeated := repeated_name(plain):
        raise CheckpointError(
            f"{path} has several weights named {repeated!r} after 'module.', '_orig_mod.' and similar prefixes are "
            "removed: save the weights of one model."
        )
    return {plain[name]: _tensor(value) for name, value in stored.items()}


def _shown(name: object) -> str:
    return str(name) if isinstance(name, (str, int)) else type(name).__name__


def _name(name: object, path: Path) -> str:
    if not isinstance(name, str):
        raise CheckpointError(f"{path} has a weight whose name is of type {type(name).__name__}, expected text.")
    return name


def _is_weight(value: Any) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, PickledArray) and value.value.dtype.kind in "biufc")


def _tensor(value: Tensor | PickledArray) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach()
    return torch.tensor(value.value.astype(value.value.dtype.newbyteorder("="), copy=False))


def _message(path: Path, error: Exception) -> str:
    """Return the message for a file that cannot be read."""
    match = re.search(r"\bGLOBAL (\S+)", str(error))  # in the message of torch's reader
    name = error.name if isinstance(error, ForeignClassError) else match and match[1]
    if name:
        return f"{path} cannot be read without running code that it names ({name}), so it was not read: {SAVE_AGAIN}."
    if isinstance(error, MemoryError) or "allocate memory" in str(error):
        return (
            f"{path} ({path.stat().st_size:,} bytes) states sizes that exceed the memory of this machine: it is "
            "damaged, or needs a machine with more memory."
        )
    if isinstance(error, ExpandingArchiveError):
        return f"{path} cannot be read: {error}. Download or copy it again."
    if isinstance(error, pickle.UnpicklingError):
        return f"{path} cannot be read: it is damaged, or holds more than tensors. Copy it again, or {SAVE_AGAIN}."
    return f"{path} cannot be read: it is truncated or damaged; download or copy it again."
