"""CLIP's text embeddings, feature maps and masked pooling of its ResNet, and SAM with prompts."""

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from segment_anything import SamPredictor
from segment_anything.modeling import Sam
from torch import Tensor

from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.clip.shared_prefixes import encode_by_prefixes
from frozenseg.modeling.clip.text_classifier import TextClassifier
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.sam.build import build_sam
from frozenseg.vocabulary import TEMPLATES, Vocabulary
from lab.parity.compare import Row
from lab.parity.components.component import Component, draws
from lab.parity.fill import fill
from lab.parity.inputs import evaluate_recipe

TEXT_CLIP, RESNET_CLIP, PROMPTED_SAM = "convnext_large_d_320", "RN50-quickgelu", "vit_b"


def text_classifier(component: Component) -> Iterator[Row]:
    """Yield rows for tokens, encoded prompts and the text embeddings of a vocabulary.

    Without normalisation, the float32 rounding of 16 layers takes up to 0.7 of the tolerance in the golden itself, and
    as much in ours, in other places. So the golden is compared with our tower in double precision, and float32 with it.
    """
    clip = _clip(TEXT_CLIP)
    names = Vocabulary.from_strings(component.metadata["classes"]).synonyms
    tokens = clip.tokenizer([template.format(name) for name in names for template in TEMPLATES])
    yield component.equal("tokens", tokens)
    exact = _encode_in_double_precision(clip, tokens[:3])
    yield component.close("raw_first3", exact)
    yield component.compare.close(f"{component.name}/raw_first3/float32", clip.encode_text(tokens)[:3], exact.numpy())
    yield component.close("classifier", TextClassifier(clip).embed(names))


@torch.no_grad()
def _encode_in_double_precision(clip: FrozenCLIP, tokens: Tensor) -> Tensor:
    """Encode sentences (N, T) with a copy of the text tower in float64; returns (N, E)."""
    model = clip.clip_model
    names = ("token_embedding", "positional_embedding", "transformer", "ln_final", "text_projection")
    tower = SimpleNamespace(**{name: deepcopy(getattr(model, name)).double() for name in names})
    return encode_by_prefixes(tower, tokens)


def resnet_features(component: Component) -> Iterator[Row]:
    """Yield rows for the feature maps of a CLIP ResNet."""
    clip = _clip(RESNET_CLIP)
    image = evaluate_recipe(component.metadata["args"].removeprefix("x=").split("/")[0]).float()[None] / 127 - 1
    kept: dict[str, Tensor] = {}
    hook = clip.clip_model.visual.act3.register_forward_hook(lambda module, inputs, output: kept.update(stem=output))
    features = clip(image)
    hook.remove()
    yield component.close("stem", kept["stem"])
    for name in ("res2", "res3", "res4", "res5"):
        yield component.close(name, features._asdict()[name])


def resnet_mask_attnpool(component: Component) -> Iterator[Row]:
    """Yield a row for masked attention pooling, also with an empty mask."""
    dense, masks = draws(component.metadata["args"])
    masks[1, 2] = -1
    yield component.close("out", _clip(RESNET_CLIP).project(F.relu(dense), masks))


def sam_prompt(component: Component) -> Iterator[Row]:
    """Yield rows for the SAM embedding with both channel orders, and for masks from points and from a box."""
    ours = build_sam(PROMPTED_SAM, "random")
    fill(ours, "sam.")
    predictor = SamPredictor(_as_package(ours))
    recipe = component.metadata["args"].removeprefix("image=").split(" as ")[0]
    image = evaluate_recipe(recipe).permute(1, 2, 0).numpy()
    height, width = image.shape[:2]
    for order in ("RGB", "BGR"):
        predictor.set_image(image, order)
        yield component.close(f"embedding_{order}", predictor.features)
    points = torch.tensor([[0.3 * width, 0.4 * height], [0.7 * width, 0.6 * height]], dtype=torch.float64).numpy()
    labels = torch.tensor([1, 0]).numpy()
    masks, scores, low = predictor.predict(points, labels, multimask_output=True, return_logits=True)
    for name, values in (("masks", masks), ("iou", scores), ("low", low)):
        yield component.close(f"multi_{name}", torch.from_numpy(values))
    masks, scores, _ = predictor.predict(
        points[:1],
        labels[:1],
        box=torch.tensor([5, 8, width - 10, height - 12]).numpy(),
        mask_input=low[:1],
        multimask_output=False,
        return_logits=True,
    )
    for name, values in (("masks", masks), ("iou", scores)):
        yield component.close(f"single_{name}", torch.from_numpy(values))


@cache
def _clip(name: str) -> FrozenCLIP:
    clip = build_clip(name, "random")
    fill(clip, "backbone.")
    return clip


def _as_package(sam: FrozenSAM) -> Sam:
    """Return the modules as a model of the segment_anything package."""
    parts = (sam.image_encoder, sam.prompt_encoder, sam.mask_decoder)
    return Sam(*parts, pixel_mean=list(sam.PIXEL_MEAN), pixel_std=list(sam.PIXEL_STD)).eval()
