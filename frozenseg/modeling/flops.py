"""FLOPs of a model for one image, per box of the figure, counted from shapes without computing values.

FLOPs as in fvcore and the papers: a multiply-add counts as one; norms, bilinear resizing and bilinear sampling have
fvcore's factors. fvcore itself would have to run the model, because its tracer needs tensors with values.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from frozenseg.modeling.load_weights import frozen_parts
from frozenseg.modeling.types import TextEmbeddings
from frozenseg.vocabulary import Vocabulary

aten = torch.ops.aten
MULTIPLY_ADD = 2  # PyTorch counts it as two
# Modules with a box in the figure; a box excludes the boxes inside it.
MODULE_BOXES: dict[str, str] = {
    "backbone": "CLIP image",
    "sam": "SAM encoder",
    "sem_seg_head.pixel_decoder": "pixel decoder",
    "sem_seg_head.pixel_decoder.fpn3": "SAM branch",
    "sem_seg_head.pixel_decoder.sam_transformer": "SAM branch",
    "sem_seg_head.predictor": "transformer decoder",
    "sem_seg_head.predictor.transformer_cross_attention_layers_sam": "injectors",
}
REST = "ensemble and the rest"


class Flops(NamedTuple):
    """Multiply-adds for one image."""

    by_box: dict[str, int]
    by_operator: dict[str, int]
    uncounted: dict[str, int]  # operator without FLOPs → number of values that it returned


def count_flops(model: nn.Module, size: tuple[int, int]) -> Flops:
    """Count the FLOPs of segmenting one image, up to the post-processing and without the text encoder.

    Args:
        model: built under :func:`on_meta_device`; it cannot be used afterwards.
        size: height and width of the image, pixels; padded as the model pads it.
    """
    counter = FlopCounterMode(display=False, custom_mapping=_like_fvcore())
    all_operators = _AllOperators()
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        model.to_empty(device="cpu").requires_grad_(False).eval()
        for part in frozen_parts(model).values():
            part.precision = torch.float32  # a lower one has as many operations, but a cast needs values
        stubbed: Any = model  # mypy forbids assigning to methods of a Module
        stubbed.text_classifier = placeholder_text_embeddings
        stubbed.postprocess = _no_outputs
        image = torch.zeros(3, *size, dtype=torch.uint8)
        with all_operators, counter:
            model([{"image": image, "height": size[0], "width": size[1]}])
    counts = counter.get_flop_counts()
    by_operator = {_name(op): count // MULTIPLY_ADD for op, count in counts["Global"].items()}
    uncounted = {name: n for name, n in all_operators.values.most_common() if n and name not in by_operator}
    return Flops(_by_box(counts, type(model).__name__), by_operator, uncounted)


def placeholder_text_embeddings(vocabulary: Vocabulary, void: Tensor) -> TextEmbeddings:
    """Return text embeddings of the right shape without a text encoder, in place of a ``TextClassifier``.

    Args:
        vocabulary: C classes with N synonyms.
        void: (1, E) void embedding.

    Returns:
        N + 1 equal embeddings of norm 1.
    """
    count = len(vocabulary.synonyms)
    class_index = [index for index, names in enumerate(vocabulary.classes) for _ in names]
    embeddings = torch.full((count + 1, void.shape[1]), void.shape[1] ** -0.5, device=void.device)
    class_of = torch.tensor([*class_index, len(vocabulary)], device=void.device)
    return TextEmbeddings(embeddings, class_of, len(vocabulary) + 1)


def _no_outputs(*_: Any) -> list[dict[str, Any]]:
    return []


def _by_box(counts: Mapping[str, Mapping[Any, int]], model: str) -> dict[str, int]:
    """Split the FLOPs of modules, which include those of the modules inside, among the boxes."""
    flops = {name.removeprefix(f"{model}."): sum(ops.values()) // MULTIPLY_ADD for name, ops in counts.items()}
    box_of: dict[str, str] = {}  # module → box
    for prefix, box in MODULE_BOXES.items():
        # a ModuleDict is not called itself, its members are
        modules = [prefix] if prefix in flops else [name for name in flops if name.rpartition(".")[0] == prefix]
        box_of |= dict.fromkeys(modules, box)
    by_box = {REST: flops["Global"]}
    for name, box in box_of.items():
        enclosing = max((other for other in box_of if name.startswith(f"{other}.")), key=len, default="")
        by_box[box] = by_box.get(box, 0) + flops[name]
        by_box[box_of.get(enclosing, REST)] -= flops[name]
    return by_box


# PyTorch's base class is not annotated
class _AllOperators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the values that each operator returns; views return none."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        self.values: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = function(*args, **(kwargs or {}))
        first = output[0] if isinstance(output, tuple | list) and output else output
        if isinstance(first, Tensor) and not function.is_view:
            self.values[_name(function.overloadpacket)] += first.numel()
        return output


def _like_fvcore() -> dict[Any, Any]:
    """Return fvcore's formulas for operators that PyTorch's counter ignores, in PyTorch's unit."""

    def each_input(factor: int) -> Any:
        return lambda shape, *_, **__: MULTIPLY_ADD * factor * shape.numel()

    def each_output(factor: int) -> Any:
        return lambda *_, out_shape, **__: MULTIPLY_ADD * factor * out_shape.numel()

    def attention(query: torch.Size, key: torch.Size, value: torch.Size, *_: Any, **__: Any) -> int:
        weights = query[:-1].numel() * key[-2]
        return MULTIPLY_ADD * weights * (query[-1] + value[-1])

    return {
        aten.native_layer_norm: each_input(5),
        aten.native_group_norm: each_input(5),
        aten.native_batch_norm: each_input(2),
        aten._native_batch_norm_legit_no_training: each_input(2),
        aten._scaled_dot_product_flash_attention_for_cpu: attention,  # missing in the oldest supported PyTorch
        aten.upsample_bilinear2d: each_output(4),
        aten.grid_sampler_2d: each_output(4),
    }


def _name(operator: Any) -> str:
    name = str(operator).removeprefix("aten.")
    return "grid_sampler_2d (deformable attention)" if name == "grid_sampler_2d" else name
