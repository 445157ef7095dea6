"""Both models, whole: what follows the frozen encoders, once in PyTorch and once in NumPy, both in float64."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from frozenseg.config import CfgNode
from frozenseg.modeling.build import build_model
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.types import MaskPredictions
from frozenseg.vocabulary import TEMPLATES, Vocabulary
from tests.lab.parity.formulas import losses, model, postprocessor, primitives, text_embeddings
from tests.lab.parity.formulas.losses import GroundTruth, LossSetting
from tests.lab.parity.formulas.pixel_decoder import Deformable
from tests.lab.parity.formulas.torch_side import TIGHT, agree, arrays, draw, filled, float64
from tests.lab.parity.formulas.transformer_decoder import Decoding, Predicted
from tests.lab.parity.test_formulas_layers import projected
from tests.lab.parity.test_formulas_postprocess import same_instances, same_segments
from tests.tiny import TEST, TRAINING, tiny_config, training_batch

ALPHA, BETA, VOID = 0.4, 0.8, 0.125  # an eighth: the model keeps the weight of void in float32
CASES = {
    "frozenseg-convnext": ("FrozenSeg", "toy_convnext", ()),
    "frozenseg-resnet-released": ("FrozenSeg", "toy_resnet", ("MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS", 3)),
    "fcclip-convnext": ("FCCLIP", "toy_convnext", ()),
    "fcclip-resnet": ("FCCLIP", "toy_resnet", ()),
}


class Case(NamedTuple):
    """A model and the numbers that it was built by."""

    model: MaskClassifier
    cfg: CfgNode
    weights: dict[str, np.ndarray]

    @property
    def setting(self) -> Deformable:
        keys = self.cfg.MODEL.SEM_SEG_HEAD
        return Deformable(keys.DEFORMABLE_TRANSFORMER_ENCODER_N_HEADS, keys.DEFORMABLE_TRANSFORMER_ENCODER_N_POINTS)

    @property
    def how(self) -> Decoding:
        keys = self.cfg.MODEL.MASK_FORMER
        places = (keys.SAM_FEATURE_FUSE_LAYER, keys.SAM_QUERY_FUSE_LAYER) if hasattr(self.model, "sam") else (-1, -1)
        return Decoding(keys.NHEADS, *places, self.model.training)


@pytest.fixture(
    scope="module", params=[(name, seed) for name in CASES for seed in (0, 1)], ids=lambda p: f"{p[0]}-{p[1]}"
)
def case(request: pytest.FixtureRequest) -> Case:
    name, seed = request.param
    architecture, clip, options = CASES[name]
    section = {"FrozenSeg": "FROZEN_SEG", "FCCLIP": "FC_CLIP"}[architecture]
    keys = {
        "CLIP_MODEL_NAME": clip,
        "GEOMETRIC_ENSEMBLE_ALPHA": ALPHA,
        "GEOMETRIC_ENSEMBLE_BETA": BETA,
        "ENSEMBLE_ON_VALID_MASK": clip == "toy_resnet",
    }
    set_keys = [item for key, value in keys.items() for item in (f"MODEL.{section}.{key}", value)]
    sizes = ("MODEL.MASK_FORMER.NO_OBJECT_WEIGHT", VOID, "MODEL.MASK_FORMER.NUM_OBJECT_QUERIES", 12)
    depth = ("MODEL.MASK_FORMER.DEC_LAYERS", 6, "MODEL.SEM_SEG_HEAD.TRANSFORMER_ENC_LAYERS", 2)
    thresholds = ("MODEL.MASK_FORMER.TEST.OVERLAP_THRESHOLD", 0.1, "TEST.DETECTIONS_PER_IMAGE", 20)
    cfg = tiny_config(architecture, *sizes, *depth, *thresholds, *options, *set_keys)
    built = filled(build_model(cfg, TRAINING), seed)
    built.set_vocabulary(TEST)
    return Case(built, cfg, arrays(built))


class Seen(NamedTuple):
    """What went through the model's parts in one run."""

    inputs: dict[str, Any]
    outputs: dict[str, Any]


def run(case: Case, batch: list[dict[str, Any]]) -> tuple[Any, Seen]:
    """Run the model and keep what its parts got and gave."""
    seen, parts = Seen({}, {}), dict(case.model.named_modules())
    names = [name for name in ("backbone", "sam", "sam.image_encoder", "sem_seg_head.pixel_decoder",
                               "sem_seg_head.predictor", "sem_seg_head") if name in parts]  # fmt: skip

    def keep(name: str) -> Any:
        def hook(part: torch.nn.Module, inputs: Any, output: Any) -> None:
            seen.inputs[name], seen.outputs[name] = inputs, output

        return hook

    handles = [parts[name].register_forward_hook(keep(name)) for name in names]
    with float64():
        result = case.model(batch)
    for handle in handles:
        handle.remove()
    return result, seen


def features(seen: Seen) -> model.Features:
    """Return the encoders' output as given."""
    clip = seen.outputs["backbone"]
    sam_embedding = seen.outputs["sam"].numpy() if "sam" in seen.outputs else None
    return model.Features([one.numpy() for one in clip[:4]], clip.dense.numpy(), sam_embedding)


def text_rows(case: Case, vocabulary: Vocabulary) -> text_embeddings.TextRows:
    """Return the rows of the encoded prompts, which are taken from the text tower as given."""
    names = [synonym for synonyms in vocabulary.classes for synonym in synonyms]
    clip = case.model.backbone
    with float64():
        encoded = [clip.encode_text(clip.tokenizer([one.format(name) for one in TEMPLATES])).numpy() for name in names]
    counts = [len(synonyms) for synonyms in vocabulary.classes]
    return text_embeddings.text_classifier(np.stack(encoded), case.weights["void_embedding.weight"], counts)


def same_predictions(actual: MaskPredictions, expected: list[Predicted]) -> None:
    ours = (*actual.intermediate, actual.final)  # the final prediction alone in eval mode
    for mine, reference in zip(ours, expected[-len(ours) :], strict=True):
        agree(mine.logits, reference.logits)
        agree(mine.masks, reference.masks)


def same_inputs(case: Case, batch: list[dict[str, Any]], seen: Seen) -> None:
    """Compare what the encoders were given (§2); the model keeps means and deviations in float32."""
    images = [element["image"].numpy() for element in batch]
    keys = case.cfg.MODEL
    agree(seen.inputs["backbone"][0], postprocessor.batch_of(images, keys.PIXEL_MEAN, keys.PIXEL_STD, 32), 1e-6)
    if "sam" in seen.inputs:
        padded = postprocessor.batch_of(images, [123.675, 116.28, 103.53], [58.395, 57.12, 57.375], 32)
        side = case.model.sam.image_size
        agree(seen.inputs["sam.image_encoder"][0], primitives.resize(padded, (side, side)), 1e-6)


def test_segmenting(case: Case) -> None:
    """Two images of different size, wanted at other sizes."""
    case.model.eval()
    batch = training_batch(((64, 96), (40, 70)))
    for element, wanted in zip(batch, ((50, 110), (80, 35)), strict=True):
        element["height"], element["width"] = wanted
    results, seen = run(case, batch)
    same_inputs(case, batch, seen)
    given, rows = features(seen), text_rows(case, TEST)
    agree(seen.inputs["sem_seg_head.predictor"][2].embeddings, rows.rows)
    pixels, predictions = model.predictions(given, rows, case.weights, case.setting, case.how)
    actual = seen.outputs["sem_seg_head.pixel_decoder"]
    agree(actual.mask_features, pixels.mask_features)
    for mine, expected in zip(actual.scales, pixels.scales, strict=True):
        agree(mine, expected)
    same_predictions(seen.outputs["sem_seg_head"], predictions)
    assert all(one.logits.std(axis=1).mean() > 0.3 for one in predictions)  # the queries have not become one
    ensemble = model.Ensemble(
        np.array(text_embeddings.seen(TEST.classes, TRAINING.classes)),
        ALPHA,
        BETA,
        case.cfg.MODEL.CLIP.ENSEMBLE_ON_VALID_MASK,
    )

    def project(dense: np.ndarray, masks: np.ndarray) -> np.ndarray:
        return projected(case.model.backbone, dense, masks)

    final = predictions[-1]
    logits = model.final_logits(final, given, rows, case.weights, project, ensemble)
    with float64():
        agree(
            case.model.ensemble(
                seen.outputs["sem_seg_head"].final,
                seen.outputs["backbone"],
                case.model.text_embeddings(),
                case.model.inference_settings,
            ).semantic,
            logits,
        )
    keys = case.cfg.MODEL.MASK_FORMER.TEST
    thresholds = model.Thresholds(TEST.isthing, keys.OBJECT_MASK_THRESHOLD, keys.OVERLAP_THRESHOLD, 20)
    for index, (element, result) in enumerate(zip(batch, results, strict=True)):
        sizes = ((64, 96), tuple(element["image"].shape[-2:]), (element["height"], element["width"]))
        expected = model.postprocess(logits[index], final.masks[index], sizes, thresholds)
        agree(result["sem_seg"], expected.semantic)
        same_segments(result["panoptic_seg"][1], expected.panoptic[1])
        assert (result["panoptic_seg"][0].numpy() == expected.panoptic[0]).all()
        same_instances(result["instances"], expected.instances)


def test_a_training_step(case: Case) -> None:
    """Images of different size, so that targets are padded too; random points are the same by their shape."""
    case.model.train()
    batch = training_batch(((64, 96), (40, 64)))
    result, seen = run(case, batch)
    same_inputs(case, batch, seen)
    _, predictions = model.predictions(features(seen), text_rows(case, TRAINING), case.weights, case.setting, case.how)
    same_predictions(seen.outputs["sem_seg_head"], predictions)
    truths = [
        GroundTruth(one["instances"].gt_classes.numpy(), padded(one["instances"].gt_masks.numpy())) for one in batch
    ]
    keys = case.cfg.MODEL.MASK_FORMER
    setting = LossSetting(
        class_weight=keys.CLASS_WEIGHT,
        mask_weight=keys.MASK_WEIGHT,
        dice_weight=keys.DICE_WEIGHT,
        void_weight=VOID,
        points=keys.TRAIN_NUM_POINTS,
        oversample=keys.OVERSAMPLE_RATIO,
        importance=keys.IMPORTANCE_SAMPLE_RATIO,
    )
    expected = losses.criterion(predictions, truths, draw, setting)
    assert {name: loss.item() for name, loss in result.items()} == pytest.approx(expected, abs=TIGHT)


def padded(masks: np.ndarray) -> np.ndarray:
    """Pad masks (n, h, w) with nothing to 64×96."""
    return np.pad(masks, ((0, 0), (0, 64 - masks.shape[1]), (0, 96 - masks.shape[2])))
