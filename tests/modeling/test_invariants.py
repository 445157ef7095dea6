"""What never changes: frozen weights, the answer for an image whatever stands beside it, memory whatever the words."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from frozenseg.modeling.build import build_model
from frozenseg.modeling.clip.text_classifier import TextClassifier
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from frozenseg.structures.image_list import ImageSize
from frozenseg.vocabulary import Vocabulary
from lab.parity.fill import fill
from tests.tiny import TEST, TRAINING, tiny_config, training_batch

HEADS = ("MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_N_HEADS", 8)  # what the rule of the weights is made for
RESNET = ("MODEL.FROZEN_SEG.CLIP_MODEL_NAME", "toy_resnet")
RELEASED = ("MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS", 3)
MANY = 5000


def filled(*options: Any) -> MaskClassifier:
    """Return a model whose answers depend on everything in it."""
    model = build_model(tiny_config("FrozenSeg", *HEADS, *options), TRAINING)
    fill(model)
    model.set_vocabulary(TEST)
    return model.eval()


@pytest.mark.parametrize("clip", [(), RESNET])
def test_frozen_weights_are_the_same_bits_after_twenty_steps(clip: tuple) -> None:
    model = filled(*clip).train()
    frozen = {name: value.clone() for part in ("backbone", "sam") for name, value in state_of(model, part).items()}
    trained = [value for value in model.parameters() if value.requires_grad]
    before = [value.clone() for value in trained]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.05)
    for step in range(20):
        optimizer.zero_grad()
        sum(model(training_batch(((64, 64),), seed=step)).values()).backward()
        optimizer.step()
    for part in ("backbone", "sam"):
        assert all(torch.equal(value, frozen[name]) for name, value in state_of(model, part).items())
    assert not any(torch.equal(value, old) for value, old in zip(trained, before, strict=True))


def state_of(model: MaskClassifier, part: str) -> dict[str, torch.Tensor]:
    """Return weights and running statistics."""
    return {f"{part}.{name}": value for name, value in model.get_submodule(part).state_dict().items()}


@pytest.mark.parametrize("options", [(), RESNET, RELEASED])
@torch.no_grad()
def test_an_answer_does_not_depend_on_the_images_beside_it(options: tuple) -> None:
    """For images padded to one size, as the padding itself is seen."""
    model = filled(*options)
    batch = training_batch(((64, 96), (60, 90), (64, 96)))
    together = model(batch)
    for element, output in zip(batch, together, strict=True):
        [alone] = model([element])
        assert torch.allclose(output["sem_seg"], alone["sem_seg"], atol=1e-4)
        assert (output["panoptic_seg"][0] != alone["panoptic_seg"][0]).float().mean() < 1e-3


@torch.no_grad()
def test_rows_kept_on_disk_give_the_same_bits(tmp_path: Path) -> None:
    first, second = (filled("MODEL.TEXT_CACHE_DIR", str(tmp_path)) for _ in range(2))
    fresh = first(training_batch()[:1])[0]["sem_seg"]
    assert len(list(tmp_path.iterdir())) == 1
    assert torch.equal(second(training_batch()[:1])[0]["sem_seg"], fresh)


@torch.no_grad()
def narrow_agreement(device: str, dtype: torch.dtype) -> tuple[float, float]:
    """Return the mean difference of mask logits, relative to their deviation, and the share of equal labels."""
    model = filled().to(device)
    batch = training_batch(((64, 96), (64, 96)))
    model.return_labels()
    kept: list[Any] = []
    hook = model.sem_seg_head.register_forward_hook(lambda module, inputs, output: kept.append(output.final))
    wide = model(batch)
    with torch.autocast(device, dtype):
        narrow = model(batch)
    hook.remove()
    difference = (kept[0].masks - kept[1].masks.float()).abs().mean() / kept[0].masks.std()
    same = [(a["sem_seg"] == b["sem_seg"]).float().mean() for a, b in zip(wide, narrow, strict=True)]
    return float(difference), float(sum(same) / len(same))


def test_bfloat16_on_a_cpu_stays_near() -> None:
    difference, same = narrow_agreement("cpu", torch.bfloat16)
    assert difference < 0.05
    assert same > 0.9


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_on_a_gpu_stays_near(dtype: torch.dtype) -> None:
    difference, same = narrow_agreement("cuda", dtype)
    assert difference < 0.05
    assert same > 0.9


class Largest(TorchDispatchMode):
    """Remembers the largest tensor that any operation has made.

    Attributes:
        numel: its number of elements.
    """

    numel = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and look at what it gives."""
        output = function(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(output) if isinstance(leaf, torch.Tensor)]
        self.numel = max(self.numel, *sizes, 0)
        return output


def test_reading_out_thousands_of_classes_needs_no_map_for_each() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, masks = torch.randn(6, MANY + 1, generator=generator), torch.randn(6, 96, 128, generator=generator)
    size = ImageSize(240, 320)
    for masks_first in (True, False):
        postprocessor = Postprocessor(masks_first=masks_first, labels=True)
        with Largest() as largest:
            output = postprocessor(logits, masks, (True,) * MANY, true_size=ImageSize(96, 128), target_size=size)
        assert output["sem_seg"].shape == size
        assert largest.numel <= 2**24 < MANY * 240 * 320 // 20


def test_encoding_thousands_of_names_needs_memory_for_a_block() -> None:
    class TextTower(torch.nn.Module):
        """A text tower that looks at the first tokens only."""

        embed_dim, logit_scale = 8, torch.tensor(0.0)

        def tokenizer(self, prompts: list[str]) -> torch.Tensor:
            return torch.tensor([[len(prompt), *prompt.encode()[:6], 99, 500] for prompt in prompts])

        def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
            return tokens[:, :8].float() / 100

    vocabulary = Vocabulary.from_strings([f"thing number {index}" for index in range(MANY)])
    with Largest() as largest:
        embeddings = TextClassifier(TextTower()).embed(vocabulary.synonyms)
    assert embeddings.shape == (MANY, 8)
    assert largest.numel <= MANY * 8  # the embeddings themselves are the largest
