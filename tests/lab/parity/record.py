"""Recorder of the small goldens in ``tests/data/parity``: ``PYTHONPATH=tools python -m tests.lab.parity.record``.

They are computed by this model and detect changes of its outputs. Its correctness is shown by the goldens of the
reference, and by the formulas in NumPy in the folder ``formulas``, which the tests compare with these goldens too.
Record them again only with a reason, and state it in the commit.
"""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.meta_arch.base import MaskClassifier
from lab.parity.fill import checksum
from lab.parity.goldens import Array, Arrays, Golden, statistics
from lab.parity.inputs import evaluate_recipe, stateless_rand
from lab.parity.matching import RecordingMatcher, recorded
from lab.parity.models import Models
from lab.parity.recorder import Recorder
from lab.parity.segmentation import MASK_STEP, Segmentation
from lab.parity.training import Training

FOLDER = Path(__file__).parents[2] / "data/parity"
KEPT = 2000  # elements of a traced map
DECIMALS = {"float32": 7, "float64": 10}
CLIP = {
    "CLIP_PRETRAINED_WEIGHTS": "random",
    "EMBED_DIM": 0,
    "GEOMETRIC_ENSEMBLE_ALPHA": 0.4,
    "GEOMETRIC_ENSEMBLE_BETA": 0.8,
}
MASK_FORMER = {
    "HIDDEN_DIM": 64,
    "NHEADS": 8,
    "DIM_FEEDFORWARD": 64,
    "DEC_LAYERS": 7,
    "NUM_OBJECT_QUERIES": 20,
    "TRAIN_NUM_POINTS": 256,
    "TEST": {"OVERLAP_THRESHOLD": 0.1},
}
SEM_SEG_HEAD = {
    "CONVS_DIM": 64,
    "MASK_DIM": 64,
    "TRANSFORMER_ENC_LAYERS": 2,
    "DEFORMABLE_TRANSFORMER_ENCODER_DIM_FEEDFORWARD": 64,
}
WORDS = {
    "train_classes": ["person,child", "car", "tree", "sky"],
    "train_thing": [1, 1, 0, 0],
    "test_classes": ["car,automobile", "boat", "grass,lawn", "sky", "cat"],
    "test_thing": [1, 1, 0, 0, 1],
}
RELEASED = {"SAM_ENCODER_LEVELS": 3, "SAM_READ_ACROSS_IMAGES": True}
RIGHT = {"SAM_ENCODER_LEVELS": 1, "SAM_READ_ACROSS_IMAGES": False}


def describe(project: str, clip: str, head: dict[str, Any], masks: dict[str, Any], images: list[Any]) -> dict[str, Any]:
    """Return what a case's JSON says before it has been run."""
    return {
        "project": project,
        **WORDS,
        "config": {
            "CLIP": {**CLIP, "CLIP_MODEL_NAME": clip, "ENSEMBLE_ON_VALID_MASK": clip == "toy_resnet"},
            "MASK_FORMER": {**MASK_FORMER, **masks},
            "SEM_SEG_HEAD": {**SEM_SEG_HEAD, **head},
            "TEST": {"DETECTIONS_PER_IMAGE": 10},
            "PIXEL_MEAN": [122.7709383, 116.7460125, 104.09373615],
            "PIXEL_STD": [68.5005327, 66.6321579, 70.32316305],
            "SAM_NAME": "vit_toy" if project == "frozenseg" else None,
        },
        "images": images,
    }


def record_of(seed: int, size: tuple[int, int], wanted: tuple[int, int]) -> dict[str, Any]:
    """Return an image of a segmentation: made with a size, its outputs wanted at another."""
    recipe = f"make_image({seed}, {size[0]}, {size[1]})"
    return {"recipe": recipe, "height": wanted[0], "width": wanted[1], "crc32": crc(evaluate_recipe(recipe))}


def scene(seed: int, side: int, targets: int) -> dict[str, Any]:
    """Return an image of a training step, with as many targets."""
    image = f"make_image({seed}, {side}, {side})"
    masks = f"make_blob_masks({seed + 1}, {targets}, {side}, {side})"
    labels = f"make_labels({seed + 2}, {targets}, {len(WORDS['train_classes'])})"
    return {"image": image, "labels": labels, "masks": masks, "crc32": crc(evaluate_recipe(image))}


def crc(image: Tensor) -> int:
    """Return the checksum of an image's bytes."""
    return zlib.crc32(image.numpy().tobytes())


def cases() -> dict[str, dict[str, Any]]:
    """Return every case by name."""
    two = [record_of(11, (64, 96), (80, 110)), record_of(12, (50, 70), (50, 70))]
    injectors = {"SAM_QUERY_FUSE_LAYER": 1, "SAM_FEATURE_FUSE_LAYER": 2}
    return {
        "tiny_frozenseg_released": describe("frozenseg", "toy_convnext", RELEASED, {}, two),
        "tiny_frozenseg": describe("frozenseg", "toy_convnext", RIGHT, injectors, two[:1]),
        "tiny_fcclip_resnet": describe("fcclip", "toy_resnet", {}, {}, two),
        "tiny_training": describe("frozenseg", "toy_convnext", RIGHT, {}, [scene(21, 128, 3), scene(31, 128, 0)]),
    }


def record(name: str, metadata: dict[str, Any]) -> Golden:
    """Run a case and return it as a golden."""
    models = Models()
    model = models.model_of(metadata)
    metadata |= {"tensors_filled": models.filled, "weight_checksum": checksum(model), "trace": {}}
    arrays: dict[str, Array] = {}
    if "recipe" in metadata["images"][0]:
        _segment(Golden(name, metadata, Arrays({})), model, metadata, arrays)
    else:
        _train(Golden(name, metadata, Arrays({})), model, metadata, arrays)
    return Golden(name, metadata, Arrays({key: _rounded(value) for key, value in arrays.items()}))


@torch.no_grad()
def _segment(golden: Golden, model: MaskClassifier, metadata: dict[str, Any], arrays: dict[str, Array]) -> None:
    batch = Segmentation(golden, model).batch
    with Recorder(model) as kept:
        outputs = model(batch)
    text_embeddings, final = model.text_embeddings(), kept.predictions.final
    _predictions(kept, arrays)
    for stage, values in kept.stages().items():
        _trace(stage, values, metadata, arrays)
    backbone = model.backbone
    own = class_logits(backbone.project(kept.clip.dense, final.masks), text_embeddings, backbone.logit_scale)
    arrays |= {"text_classifier": text_embeddings.embeddings.numpy(), "out_vocab_logits": own.numpy()}
    arrays["pred_masks_q5"] = final.masks[:, ::MASK_STEP].numpy()
    for index, (logits, output) in enumerate(
        zip(model.ensemble(final, kept.clip, text_embeddings, model.inference_settings).semantic, outputs, strict=True)
    ):
        scores, (ids, segments), instances = output["sem_seg"], output["panoptic_seg"], output["instances"]
        metadata["images"][index] |= {
            "segments_info": segments,
            "inst_masks_shape": list(instances.pred_masks.shape),
            "sem_seg_argmax_hist": torch.bincount(scores.argmax(dim=0).flatten(), minlength=len(scores)).tolist(),
        }
        arrays |= {
            f"final_cls{index}": logits.numpy(),
            f"sem_seg{index}": scores[:, ::2, ::2].numpy(),
            f"sem_seg_mean{index}": scores.double().mean(dim=(1, 2)).numpy(),
            f"panoptic{index}": ids.numpy().astype(np.uint16),
            f"inst_scores{index}": instances.scores.numpy(),
            f"inst_classes{index}": instances.pred_classes.numpy().astype(np.int16),
            f"inst_masks{index}": np.packbits(instances.pred_masks.numpy()),
        }


def _train(golden: Golden, model: MaskClassifier, metadata: dict[str, Any], arrays: dict[str, Array]) -> None:
    training = Training(golden, model.train())
    targets, kept = training.predict()
    _predictions(kept, arrays)
    _trace("pred_masks", kept.predictions.final.masks, metadata, arrays)
    arrays["text_classifier"] = model.text_embeddings().embeddings.detach().numpy()
    seed = 5
    metadata |= {"rng": {"seed": seed}, "losses": {}, "indices": {}, "weight_dict": {}}
    with recorded(model.criterion) as matcher:
        torch.manual_seed(seed)
        _losses("seeded", model.criterion(kept.predictions, targets), matcher, metadata)
    with recorded(model.criterion) as matcher, stateless_rand(seed):
        losses = model.criterion(kept.predictions, targets)
        _losses("stateless", losses, matcher, metadata)
    sum(losses.values()).backward()
    trained = {key: value.grad for key, value in model.named_parameters() if value.requires_grad}
    metadata["grad_names"] = list(trained)
    arrays["grad_l2"] = np.array([float(grad.double().norm()) for grad in trained.values()])
    arrays["grad_sum"] = np.array([float(grad.double().sum()) for grad in trained.values()])


def _losses(kind: str, losses: dict[str, Tensor], matcher: RecordingMatcher, metadata: dict[str, Any]) -> None:
    weights = {"loss_ce": 2.0, "loss_mask": 5.0, "loss_dice": 5.0}
    metadata["weight_dict"] = {key: weights["_".join(key.split("_")[:2])] for key in losses}
    metadata["losses"][kind] = {
        key: float(loss.detach()) / metadata["weight_dict"][key] for key, loss in losses.items()
    }
    metadata["indices"][kind] = [
        [[match.queries.tolist(), match.targets.tolist()] for match in matches] for matches in matcher.matches
    ]


def _predictions(kept: Recorder, arrays: dict[str, Array]) -> None:
    predictions = [*kept.predictions.intermediate, kept.predictions.final]
    moments = []
    for prediction in predictions:
        flat = prediction.masks.detach().flatten(2)
        parts = (flat.mean(dim=-1), flat.std(dim=-1, correction=0), (flat > 0).float().mean(dim=-1))
        moments.append(torch.stack(parts, dim=-1).numpy())
    arrays["pred_logits"] = predictions[-1].logits.detach().numpy()
    arrays["aux_pred_logits"] = torch.stack([prediction.logits for prediction in predictions[:-1]]).detach().numpy()
    arrays["pred_masks_moments"], arrays["aux_pred_masks_moments"] = moments[-1], np.stack(moments[:-1])


def _trace(stage: str, values: Tensor, metadata: dict[str, Any], arrays: dict[str, Array]) -> None:
    kept, step = thinned(values.detach().numpy(), KEPT)
    metadata["trace"][stage] = {"shape": list(values.shape), "stride": step}
    arrays |= {f"trace/{stage}": kept, f"trace/{stage}/stats": statistics(values.detach().numpy())}


def _rounded(values: Array) -> Array:
    decimals = DECIMALS.get(str(values.dtype))
    return values if decimals is None else values.round(decimals)


def write_golden(path: Path, golden: Golden) -> None:
    """Write a case, each file whole or not at all.

    Args:
        path: of the JSON file; the NPZ file goes beside it.
        golden: what to write.
    """
    arrays, metadata = path.with_suffix(".tmp.npz"), path.with_suffix(".tmp")
    np.savez_compressed(arrays, **golden.arrays)
    metadata.write_text(json.dumps(golden.metadata, indent=1) + "\n", encoding="utf-8")
    arrays.replace(path.with_suffix(".npz"))
    metadata.replace(path)


def thinned(values: Array, limit: int) -> tuple[Array, int]:
    """Return every k-th element of the flattened array and k, the smallest odd step that keeps about ``limit``."""
    flat = values.reshape(-1)
    step = max(1, -(-flat.size // limit))
    step += 1 - step % 2
    return flat[::step], step


if __name__ == "__main__":
    for case, description in cases().items():
        write_golden(FOLDER / f"{case}.json", record(case, description))
