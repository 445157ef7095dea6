"""What the names and shapes of weights tell about the model that they are of, and which config keys say the same."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

SAM = "sam."
SAM_BRANCH = "sem_seg_head.pixel_decoder.sam_transformer."
SAM_INJECTORS = "sem_seg_head.predictor.transformer_cross_attention_layers_sam."
DECODER = "sem_seg_head.predictor."
FOREIGN = {  # beginning of a name: what the file is, and the key that takes it
    "image_encoder.": ("SAM alone", "MODEL.SAM_WEIGHTS"),
    "visual.": ("CLIP alone", "CLIP_PRETRAINED_WEIGHTS"),
}
SCALES = 3

Shapes = Mapping[str, tuple[int, ...]]  # of weights, by name


class Size(NamedTuple):
    """A size of one weight that a config key sets."""

    weight: str
    axis: int
    key: str


class Count(NamedTuple):
    """A number of layers that a config key sets."""

    prefix: str  # before the number of the layer
    key: str
    more: int = 0  # what the key counts beside them


SIZES = (
    Size(f"{SAM_BRANCH}level_embed", 0, "MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS"),
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
    Count("sem_seg_head.predictor.transformer_ffn_layers.", "MODEL.MASK_FORMER.DEC_LAYERS", more=1),
)
CLIP_SIZES = (  # key: what it is called in the sentence
    Size("void_embedding.weight", 1, "joint space"),
    Size("sem_seg_head.pixel_decoder.input_proj.0.0.weight", 1, "res5"),
    Size("sem_seg_head.pixel_decoder.input_proj.1.0.weight", 1, "res4"),
    Size("sem_seg_head.pixel_decoder.input_proj.2.0.weight", 1, "res3"),
    Size("sem_seg_head.pixel_decoder.adapter_1.weight", 1, "res2"),
)


def advice(given: Shapes, own: Shapes, frozen: Collection[str]) -> str:
    """Say what to change in a config so that its model takes a file's weights.

    Args:
        given: weights of the file.
        own: weights of the model.
        frozen: names of the frozen parts that the file was trained with, as far as it says.

    Returns:
        A sentence; empty where the names and shapes do not tell.
    """
    if not _has(given, DECODER):
        return _foreign(given)
    architecture = _architecture(given, own, frozen)
    if architecture:
        return architecture
    settings = [f"{key} {value} (now {now})" for key, value, now in _settings(given, own)]
    parts = [f"set {', '.join(settings)}"] if settings else []
    widths = [
        f"{size.key} of {theirs} channels, here {ours}" for size, theirs, ours in _differing(CLIP_SIZES, given, own)
    ]
    if widths:
        parts.append(f"it was trained with another CLIP ({'; '.join(widths)}): set CLIP_MODEL_NAME to that one")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _foreign(given: Shapes) -> str:
    """Say what a file without the decoder is, as far as its names tell."""
    for prefix, (model, key) in FOREIGN.items():
        if _has(given, prefix):
            return f"It holds the weights of {model}: set {key} to it."
    return "It holds no weights of the decoder: give a file of a trained FrozenSeg or FC-CLIP."


def _architecture(given: Shapes, own: Shapes, frozen: Collection[str]) -> str:
    """Tell FrozenSeg and FC-CLIP apart: the names of SAM's branch are in one of them only."""
    sam_given = _has(given, SAM_BRANCH) or _has(given, SAM) or SAM.rstrip(".") in frozen
    if sam_given == _has(own, SAM):
        return ""
    theirs, ours = ("FrozenSeg", "FCCLIP") if sam_given else ("FCCLIP", "FrozenSeg")
    return (
        f"The file is of the model {theirs}, the config of {ours}: give a config with MODEL.META_ARCHITECTURE {theirs}."
    )


def _settings(given: Shapes, own: Shapes) -> list[tuple[str, int, int]]:
    """Return key, value of the file and value of the model, where they differ."""
    found = [(size.key, theirs, ours) for size, theirs, ours in _differing(SIZES, given, own)]
    for count in COUNTS:
        theirs, ours = (len(_layers(shapes, count.prefix)) for shapes in (given, own))
        if theirs and ours and theirs != ours:
            found.append((count.key, theirs + count.more, ours + count.more))
    theirs, ours = _injection_scale(given), _injection_scale(own)
    if theirs != ours:
        found.append(("MODEL.MASK_FORMER.SAM_FEATURE_FUSE_LAYER", theirs, ours))
    return found


def _injection_scale(shapes: Shapes) -> int:
    """Return the scale whose layers have a feature injector, -1 where none has."""
    return min((int(layer) % SCALES for layer in _layers(shapes, SAM_INJECTORS)), default=-1)


def _differing(sizes: tuple[Size, ...], given: Shapes, own: Shapes) -> list[tuple[Size, int, int]]:
    found = []
    for size in sizes:
        theirs, ours = given.get(size.weight, ()), own.get(size.weight, ())
        if size.axis < min(len(theirs), len(ours)) and theirs[size.axis] != ours[size.axis]:
            found.append((size, theirs[size.axis], ours[size.axis]))
    return found


def _layers(shapes: Shapes, prefix: str) -> set[str]:
    layers = {name.removeprefix(prefix).split(".")[0] for name in shapes if name.startswith(prefix)}
    return {layer for layer in layers if layer.isdigit()}


def _has(shapes: Shapes, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in shapes)
