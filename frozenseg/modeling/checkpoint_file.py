"""Checkpoint files: reads any file of weights into one dictionary without running code from it, and writes ours.

Supported are files of ``torch.save`` (.pth, .pth.tar), plain pickles (.pkl, as in Detectron2's model zoo) and
.safetensors, with the weights bare or under ``model`` or ``state_dict``. The format is recognised by the first bytes,
not by the name.
"""

import json
import pickle
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from frozenseg.atomic import replacing, write_tensors
from frozenseg.errors import CheckpointError
from frozenseg.modeling.pretrained import weights_file
from frozenseg.safe_pickle import ForeignClassError, PickledArray, load_pickle, load_torch
from frozenseg.vocabulary import Vocabulary

SAFETENSORS = ".safetensors"
METADATA = "frozenseg"  # our entry in the metadata of a safetensors file, JSON
FORMAT = 1  # version of that entry
_DESCRIPTION = ("frozen", "vocabulary", "isthing", "config")  # in our checkpoints, next to the weights
STATES = ("trainer", "bad_step")  # in some of our checkpoints
WRAPPED = "module."  # prefix of every name after parallel training
DAMAGED = (
    pickle.UnpicklingError, SafetensorError, struct.error, EOFError, OSError, RuntimeError, MemoryError,
    ArithmeticError, AttributeError, LookupError, TypeError, ValueError,
)  # fmt: skip
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
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}; pass the path of a .pth, .pkl or .safetensors file.")
    try:
        content = _read(path)
        weights = _weights(content, path)
    except CheckpointError:
        raise
    except DAMAGED as error:
        raise CheckpointError(_message(path, error)) from error
    ours = isinstance(content.get("frozen"), dict)
    kept = (*_DESCRIPTION, *STATES) if ours else ()
    return {"model": weights, **{key: content[key] for key in kept if key in content}}


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
        if described["format"] > FORMAT:
            raise CheckpointError(
                f"{path} has format {described['format']}, this version reads up to {FORMAT}: update FrozenSeg."
            )
        content |= {key: described[key] for key in _DESCRIPTION if key in described}
    return content


def _weights(content: Any, path: Path) -> dict[str, Tensor]:
    names = sorted(map(str, content)) if isinstance(content, Mapping) else [type(content).__name__]
    state: Any = content if isinstance(content, Mapping) else {}
    for wrapper in ("model", "state_dict"):
        if isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
            break
    tensors = {str(name): _tensor(value) for name, value in state.items() if _is_weight(value)}
    if not tensors:
        raise CheckpointError(
            f"{path} holds no weights: expected tensors by name, bare or under 'model' or 'state_dict', received "
            f"{', '.join(names[:5]) or 'nothing'}."
        )
    if all(name.startswith(WRAPPED) for name in tensors):
        tensors = {name.removeprefix(WRAPPED): tensor for name, tensor in tensors.items()}
    return tensors


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
    if isinstance(error, pickle.UnpicklingError):
        return f"{path} cannot be read: it is damaged, or holds more than tensors. Copy it again, or {SAVE_AGAIN}."
    return f"{path} cannot be read: it is truncated or damaged; download or copy it again."
