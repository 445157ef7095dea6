"""Our small goldens are what the formulas say; and so are the parts that are read or mixed as released."""

import numpy as np
import pytest
import torch

from frozenseg.modeling.ensemble.mask_proposals import mask_proposal_ensemble
from frozenseg.modeling.ops.ms_deform_attn import MSDeformAttn
from frozenseg.modeling.ops.released_read import ReleasedRead
from frozenseg.vocabulary import TEMPLATES
from lab.parity.compare import tolerance
from lab.parity.fill import fill
from lab.parity.goldens import read_golden
from lab.parity.models import Models
from lab.parity.recorder import Recorder
from lab.parity.segmentation import Segmentation
from tests.lab.parity.formulas import model as formulas
from tests.lab.parity.formulas import pixel_decoder, postprocessor, text_embeddings
from tests.lab.parity.formulas.pixel_decoder import Deformable
from tests.lab.parity.formulas.torch_side import agree, arrays, normal, tensor
from tests.lab.parity.formulas.transformer_decoder import Decoding
from tests.lab.parity.record import FOLDER


@pytest.mark.parametrize("name", ["tiny_frozenseg", "tiny_fcclip_resnet"])
@torch.no_grad()
def test_small_goldens_are_what_the_formulas_say(name: str) -> None:
    """Encoders and encoded prompts are given; what follows is compared with the numbers in the file."""
    golden = read_golden(FOLDER / f"{name}.json")
    model = Models().model_of(golden.metadata)
    with Recorder(model) as record:
        model(Segmentation(golden, model).batch)
    clip, weights = model.backbone, arrays(model)
    names = [[template.format(name) for template in TEMPLATES] for name in model.vocabulary.synonyms]
    encoded = np.stack([clip.encode_text(clip.tokenizer(prompts)).numpy() for prompts in names]).astype(np.float64)
    counts = [len(synonyms) for synonyms in model.vocabulary.classes]
    rows = text_embeddings.text_classifier(encoded, weights["void_embedding.weight"], counts)
    near(rows.rows, golden.arrays["text_classifier"])
    sam_embedding = None if record.sam_embedding is None else wide(record.sam_embedding)
    given = formulas.Features([wide(one) for one in record.clip[:4]], wide(record.clip.dense), sam_embedding)
    masks = golden.metadata["config"]["MASK_FORMER"]
    places = (masks["SAM_FEATURE_FUSE_LAYER"], masks["SAM_QUERY_FUSE_LAYER"]) if sam_embedding is not None else (-1, -1)
    setting, how = Deformable(8, 4), Decoding(masks["NHEADS"], *places)
    weights = {key: value.astype(np.float64) for key, value in weights.items()}
    pixels, predictions = formulas.predictions(given, rows, weights, setting, how)
    step = golden.metadata["trace"]["pixel/mask_features"]["stride"]
    near(pixels.mask_features.reshape(-1)[::step], golden.arrays["trace/pixel/mask_features"])
    for index, prediction in enumerate(predictions[:-1]):
        near(prediction.logits, golden.arrays["aux_pred_logits"][index])
    near(predictions[-1].logits, golden.arrays["pred_logits"])
    near(predictions[-1].masks[:, ::5], golden.arrays["pred_masks_q5"])


def near(actual: np.ndarray, golden: np.ndarray) -> None:
    assert np.abs(actual - golden).max() <= tolerance(golden, 0.0)


def wide(values: torch.Tensor) -> np.ndarray:
    return values.double().numpy()


@pytest.mark.parametrize(("read", "way"), [(ReleasedRead.PER_IMAGE, "image"), (ReleasedRead.ACROSS_IMAGES, "batch")])
@torch.no_grad()
def test_the_released_read(read: ReleasedRead, way: str) -> None:
    module = MSDeformAttn(width=64, levels=3, heads=8, points=4, released_read=read)
    fill(module, "msda.")
    query, value = normal(0, 2, 12, 64), normal(1, 2, 12, 64)
    points = np.random.default_rng(2).random((2, 12, 1, 2))
    expected = pixel_decoder.deformable_attention(
        query, points, value, [(3, 4)], arrays(module.double()), Deformable(heads=8, points=4), read=way
    )
    agree(module(tensor(query), tensor(points), tensor(value), [(3, 4)]), expected)


@pytest.mark.parametrize(("confidence", "count"), [(5.0, 30), (0.05, 30), (5.0, 0)])
def test_mask_proposals(confidence: float, count: int) -> None:
    seen = np.array([1, 1, 0, 1, 0, 0], dtype=bool)
    semantic, masks = np.abs(normal(3, 6, 7, 9)), 3 * normal(4, 30, 7, 9)[:count]
    logits = confidence * normal(5, 30, 7)[:count]
    mixed = mask_proposal_ensemble(tensor(semantic), tensor(logits), tensor(masks), tensor(seen), 0.2)
    agree(mixed, postprocessor.with_mask_proposals(semantic, logits, masks, seen, 0.2))
