"""How much a model computes for one picture, box by box, from shapes alone: nothing is computed and nothing stored.

FLOPs as fvcore and the papers count them: a multiply-add is one; norms, bilinear resizing and bilinear sampling have
fvcore's factors. fvcore itself would have to run the model: its tracer does not work on tensors without values.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from frozenseg.modeling.types import TextEmbeddings
from frozenseg.vocabulary import Vocabulary

aten = torch.ops.aten
MULTIPLY_ADD = 2  # PyTorch counts it as two
# Modules whose work is a box of its own; what is done outside of them is the rest.
BOXES: dict[str, str] = {
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
    """Multiply-adds for one picture."""

    by_box: dict[str, int]
    by_operator: dict[str, int]
    uncounted: dict[str, int]  # operators that count as nothing, with how many numbers they gave


def count_flops(model: nn.Module, size: tuple[int, int]) -> Flops:
    """Count what segmenting one picture takes, up to the read-outs. Words are encoded once, beforehand: not counted.

    Args:
        model: built under :func:`weightless`; it is of no use afterwards.
        size: height and width of the picture, pixels; padded as the model pads it.
    """
    counter = FlopCounterMode(display=False, custom_mapping=_like_fvcore())
    every = _EveryOperator()
    boxes = _Boxes(counter)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad(), ExitStack() as stack:
        model.to_empty(device="cpu").requires_grad_(False).eval()
        model.text_classifier = placeholder_text_embeddings
        model.postprocess = _no_read_out
        for name, box in BOXES.items():
            stack.enter_context(boxes.around(model, name, box))
        picture = torch.zeros(3, *size, dtype=torch.uint8)
        with every, counter:
            model([{"image": picture, "height": size[0], "width": size[1]}])
        boxes.settle()
    by_operator = {_name(op): count // MULTIPLY_ADD for op, count in counter.get_flop_counts()["Global"].items()}
    uncounted = {name: count for name, count in every.numbers.most_common() if count and name not in by_operator}
    return Flops(dict(boxes.flops), by_operator, uncounted)


def placeholder_text_embeddings(vocabulary: Vocabulary, void: Tensor) -> TextEmbeddings:
    """Return words of the right shape without a text tower's work; stands in for a ``TextClassifier``.

    Args:
        vocabulary: C classes with N synonyms.
        void: (1, E) the void embedding.
    """
    count = len(vocabulary.synonyms)
    class_index = [index for index, names in enumerate(vocabulary.classes) for _ in names]
    rows = torch.full((count + 1, void.shape[1]), void.shape[1] ** -0.5, device=void.device)
    return TextEmbeddings(rows, torch.tensor([*class_index, len(vocabulary)], device=void.device), len(vocabulary) + 1)


def _no_read_out(*_: Any) -> list[dict[str, Any]]:
    return []


class _Boxes:
    """Gives what the counter counts to the innermost box that is at work."""

    def __init__(self, counter: FlopCounterMode) -> None:
        self.flops: Counter[str] = Counter()
        self._counter, self._seen, self._stack = counter, 0, [REST]

    def settle(self) -> None:
        """Give what was counted since the last time to the box at work."""
        total = self._counter.get_total_flops() // MULTIPLY_ADD
        self.flops[self._stack[-1]] += total - self._seen
        self._seen = total

    @contextmanager
    def around(self, model: nn.Module, name: str, box: str) -> Iterator[None]:
        """Make the module of that name a box, and the members of a list or dictionary of modules."""
        module: Any = model
        for part in name.split("."):
            module = getattr(module, part, None)
        members = [*module.values()] if isinstance(module, nn.ModuleDict) else [module] if module is not None else []
        hooks = [
            hook
            for member in members
            for hook in (
                member.register_forward_pre_hook(lambda *_: self._enter(box)),
                member.register_forward_hook(lambda *_: self._leave()),
            )
        ]
        yield
        for hook in hooks:
            hook.remove()

    def _enter(self, box: str) -> None:
        self.settle()
        self._stack.append(box)

    def _leave(self) -> None:
        self.settle()
        self._stack.pop()


class _EveryOperator(TorchDispatchMode):
    """Keeps how many numbers each operator gave; views give none."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = function(*args, **(kwargs or {}))
        first = output[0] if isinstance(output, tuple | list) and output else output
        if isinstance(first, Tensor) and not function.is_view:
            self.numbers[_name(function.overloadpacket)] += first.numel()
        return output


def _like_fvcore() -> Mapping[Any, Any]:
    """Return fvcore's counts of what PyTorch's own counter leaves out, in PyTorch's unit."""

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
        aten._scaled_dot_product_flash_attention_for_cpu: attention,  # unknown to the oldest PyTorch's own counter
        aten.upsample_bilinear2d: each_output(4),
        aten.grid_sampler_2d: each_output(4),
    }


def _name(operator: Any) -> str:
    name = str(operator).removeprefix("aten.")
    return "grid_sampler_2d (deformable attention)" if name == "grid_sampler_2d" else name
