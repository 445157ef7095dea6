"""Diagnosis of weights that do not fit: names and shapes → the config keys to change."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

_SAM = "sam."
SAM_BRANCH = "sem_seg_head.pixel_decoder.sam_transformer."
SAM_INJECTORS = "sem_seg_head.predictor.transformer_cross_attention_layers_sam."
DECODER = "sem_seg_head.predictor."
FOREIGN = {  # beginning of a name: the model in the file, and the config key for that file
    "image_encoder.": ("SAM alone", "MODEL.SAM_WEIGHTS"),
    "visual.": ("CLIP alone", "CLIP_PRETRAINED_WEIGHTS"),
}
_SCALES = 3

Shapes = Mapping[str, tuple[int, ...]]  # shapes of weights by name


class Size(NamedTuple):
    """Size of one weight that a config key sets."""

    weight: str
    axis: int
    key: str


class Count(NamedTuple):
    """Number of layers that a config key sets."""

    prefix: str  # of the names, before the index of the layer
    key: str
    offset: int = 0  # of the key's value to the number of layers


LEVELS_OF_SAM_BRANCH = Size(f"{SAM_BRANCH}level_embed", 0, "MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS")
SIZES = (
    LEVELS_OF_SAM_BRANCH,
    Size("sem_seg_head.predictor.query_feat.weight", 0, "MODEL.MASK_FORMER.NUM_OBJECT_QUERIES"),
    Size("sem_seg_head.predictor.query_feat.weight", 1, "MODEL.MASK_FORMER.HIDDEN_DIM"),
    Size("sem_seg_head.predictor.transformer_ffn_layers.0.linear1.weight", 0, "MODEL.MASK_FORMER.DIM_FEEDFORWARD"),
    Size("sem_seg_head.pixel_decoder.mask_features.weight", 0, "MODEL.SEM_SEG_HEAD.MASK_DIM"),
    Size("sem_seg_head.pixel_decoder.mask_features.weight", 1, "MODEL.SEM_SEG_HEAD.CONVS_DIM"),
    Size(
        "sem_seg_head.pixel_decoder.transformer.encoder.layers.0.linear1.weight",
        0,
        "MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_DIM_FEEDFORWARD",
    ),
)
COUNTS = (
    Count("sem_seg_head.pixel_decoder.transformer.encoder.layers.", "MODEL.SEM_SEG_HEAD.TRANSFORMER_ENC_LAYERS"),
    Count("sem_seg_head.predictor.transformer_ffn_layers.", "MODEL.MASK_FORMER.DEC_LAYERS", offset=1),
)
CLIP_SIZES = (  # key: name of the feature map or space in the message, not a config key
    Size("void_embedding.weight", 1, "joint space"),
    Size("sem_seg_head.pixel_decoder.input_proj.0.0.weight", 1, "res5"),
    Size("sem_seg_head.pixel_decoder.input_proj.1.0.weight", 1, "res4"),
    Size("sem_seg_head.pixel_decoder.input_proj.2.0.weight", 1, "res3"),
    Size("sem_seg_head.pixel_decoder.adapter_1.weight", 1, "res2"),
)


def advice(file: Shapes, model: Shapes, frozen: Collection[str]) -> str:
    """Return a sentence about the config keys to change so that the model fits a file's weights.

    Args:
        file: weights of the file.
        model: weights of the model.
        frozen: names of the frozen parts that the file was trained with; empty if unknown.

    Returns:
        A sentence; empty if the names and shapes are not conclusive.
    """
    if not _has(file, DECODER):
        return _foreign(file)
    architecture = _architecture(file, model, frozen)
    if architecture:
        return architecture
    settings = [f"{key} {value} (now {now})" for key, value, now in _settings(file, model)]
    parts = [f"set {', '.join(settings)}"] if settings else []
    widths = [
        f"{size.key} of {theirs} channels, here {ours}" for size, theirs, ours in _differing(CLIP_SIZES, file, model)
    ]
    if widths:
        parts.append(f"it was trained with another CLIP ({'; '.join(widths)}): set CLIP_MODEL_NAME to that CLIP")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _foreign(file: Shapes) -> str:
    """Return a sentence about a file without the decoder."""
    for prefix, (model, key) in FOREIGN.items():
        if _has(file, prefix):
            return f"The file holds the weights of {model}: set {key} to its path."
    return "The file holds no weights of the decoder: use a file of a trained FrozenSeg or FC-CLIP."


def _architecture(file: Shapes, model: Shapes, frozen: Collection[str]) -> str:
    """Distinguish FrozenSeg from FC-CLIP: only FrozenSeg has a SAM branch. Empty if file and model agree."""
    with_sam = _has(file, SAM_BRANCH) or _has(file, _SAM) or _SAM.rstrip(".") in frozen
    if with_sam == _has(model, _SAM):
        return ""
    theirs, ours = ("FrozenSeg", "FCCLIP") if with_sam else ("FCCLIP", "FrozenSeg")
    return (
        f"The file is of the model {theirs}, the config of {ours}: use a config with MODEL.META_ARCHITECTURE {theirs}."
    )


def _settings(file: Shapes, model: Shapes) -> list[tuple[str, int, int]]:
    """Return key, value of the file and value of the model for each setting that differs."""
    differences = [(size.key, theirs, ours) for size, theirs, ours in _differing(SIZES, file, model)]
    for count in COUNTS:
        theirs, ours = (len(_layers(shapes, count.prefix)) for shapes in (file, model))
        if theirs and ours and theirs != ours:
            differences.append((count.key, theirs + count.offset, ours + count.offset))
    theirs, ours = _injection_scale(file), _injection_scale(model)
    if theirs != ours:
        differences.append(("MODEL.MASK_FORMER.SAM_FEATURE_FUSE_LAYER", theirs, ours))
    return differences


def _injection_scale(shapes: Shapes) -> int:
    """Return the index of the scale with feature injectors, -1 without any."""
    return min((int(layer) % _SCALES for layer in _layers(shapes, SAM_INJECTORS)), default=-1)


def _differing(sizes: tuple[Size, ...], file: Shapes, model: Shapes) -> list[tuple[Size, int, int]]:
    differences = []
    for size in sizes:
        theirs, ours = file.get(size.weight, ()), model.get(size.weight, ())
        if size.axis < min(len(theirs), len(ours)) and theirs[size.axis] != ours[size.axis]:
            differences.append((size, theirs[size.axis], ours[size.axis]))
    return differences


def _layers(shapes: Shapes, prefix: str) -> set[str]:
    layers = {name.removeprefix(prefix).split(".")[0] for name in shapes if name.startswith(prefix)}
    return {layer for layer in layers if layer.isdigit()}


def _has(shapes: Shapes, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in shapes)
