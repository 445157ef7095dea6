"""Comparison of goldens of segmentation: a batch through the whole model, stage by stage.

Letters: B images, Q queries, C classes, M proposals, H×W size of the padded input.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.ensemble.mask_proposals import ProposalEnsemble, ProposalVotes
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.meta_arch.frozenseg import FrozenSeg
from frozenseg.modeling.postprocess.restore_size import restore_size
from frozenseg.modeling.sam.automatic_masks.placement import Placement
from frozenseg.modeling.sam.automatic_masks.proposals import Proposals
from frozenseg.modeling.types import Prediction, TextEmbeddings
from frozenseg.structures.image_list import ImageSize
from lab.parity.compare import SUSPICIOUS, Comparer, Row, sum_tolerance, tolerance
from lab.parity.components.component import find
from lab.parity.discrete import Scored, compare_instances, compare_label_counts, compare_panoptic
from lab.parity.goldens import Golden
from lab.parity.inputs import check_crc, evaluate_recipe, make_blob_masks, randn
from lab.parity.predictions import compare_maps, compare_predictions, decode, mask_floor, mask_margin
from lab.parity.recorder import Recorder
from lab.parity.ties import differing_queries, flip_pooling_ties

MASK_STEP = 5  # goldens have the masks of every fifth query
PROPOSAL_LOGITS = "sam_out_vocab_logits"


class Segmentation:
    """Comparison of one golden.

    Args:
        golden: the case.
        model: its model, filled, in eval mode.
    """

    def __init__(self, golden: Golden, model: MaskClassifier) -> None:
        self.golden, self.model, self.settings = golden, model, model.inference_settings
        self.compare = Comparer(golden.name)
        self.batch = [_element(golden, index) for index in range(len(golden.metadata["images"]))]
        if PROPOSAL_LOGITS in golden.arrays:
            self.settings = _with_proposals(self.settings, golden.metadata["config"]["TEST"])
            for element, image, logits in zip(
                self.batch, golden.metadata["images"], golden.arrays[PROPOSAL_LOGITS], strict=True
            ):
                element["proposals"] = _proposals(image, len(logits))

    @torch.no_grad()
    def run(self) -> Iterator[Row]:
        """Yield a row for every stage, in the order of the computation."""
        golden, compare = self.golden, self.compare
        with Recorder(self.model) as record:
            outputs = self.model(self.batch, settings=self.settings)
        text_embeddings = self.model.text_embeddings()
        yield from compare.kept(
            golden, "text_classifier", text_embeddings.embeddings, floor=golden.floor("text_classifier", "max")
        )
        yield from compare_maps(compare, golden, record.stages())
        decoded = decode(self.model, golden, record, text_embeddings)
        yield from compare_predictions(compare, golden, decoded)
        last = decoded.predictions[-1]
        yield from compare.kept(golden, "pred_masks_q5", last.masks[:, ::MASK_STEP], floor=mask_floor(golden))
        out_of_vocabulary, dense_masks, ties = self._out_of_vocabulary(record, last, text_embeddings)
        floor = golden.floor("out_vocab_logits", "max")
        yield from compare.kept(golden, "out_vocab_logits", out_of_vocabulary, floor=floor, ties=ties)
        logits = self.model.ensemble(Prediction(last.logits, dense_masks), record.clip, text_embeddings, self.settings)
        images = self.model.preprocess(self.batch, self.model.pixel_mean, self.model.pixel_std)
        votes: list[ProposalVotes | None] = []
        if isinstance(self.model, FrozenSeg):
            votes = self.model.proposal_votes(self.batch, images, record.clip, text_embeddings, self.settings)
        if ties + sum(decoded.ties):
            outputs = self.model.postprocess(logits, last.masks, images, self.batch, self.settings, votes)
        for index, output in enumerate(outputs):
            if votes:
                stage, golden_logits = f"{PROPOSAL_LOGITS}{index}", golden.arrays[PROPOSAL_LOGITS][index]
                yield compare.close(stage, _logits(votes[index]), golden_logits)
            yield from self._outputs(index, output, logits.semantic[index], self._full_size(index, last.masks))

    def _out_of_vocabulary(
        self, record: Recorder, last: Prediction, text_embeddings: TextEmbeddings
    ) -> tuple[Tensor, Tensor, int]:
        """Return CLIP's class logits under the masks, the masks at the dense map's size, and the number of flips."""
        dense = record.clip.dense
        masks = resize(last.masks, dense.shape[-2:]).clone()
        logits = self._classify(dense, masks, text_embeddings)
        if "out_vocab_logits" not in self.golden.arrays:
            return logits, masks, 0
        golden = torch.from_numpy(self.golden.arrays["out_vocab_logits"])
        suspicious = SUSPICIOUS * float(golden.std())
        ties = 0
        for query_index, difference in differing_queries(logits, golden, suspicious).items():
            image = dense[query_index[0] : query_index[0] + 1]
            flipped = flip_pooling_ties(
                partial(self._classify_variants, image, text_embeddings),
                masks[query_index],
                golden[query_index],
                difference=difference,
                margin=mask_margin(last.masks),
            )
            if flipped is not None:
                logits[query_index], masks[query_index] = flipped.logits, flipped.mask
                ties += flipped.pixels
        return logits, masks, ties

    def _classify_variants(self, image: Tensor, text_embeddings: TextEmbeddings, masks: Tensor) -> Tensor:
        """Return the class logits (V, C + 1) of an image's dense map (1, c, h, w) under masks (V, h, w)."""
        return self._classify(image, masks[None], text_embeddings)[0]

    def _classify(self, dense: Tensor, masks: Tensor, text_embeddings: TextEmbeddings) -> Tensor:
        backbone = self.model.backbone
        return class_logits(backbone.project(dense, masks), text_embeddings, backbone.logit_scale)

    def _full_size(self, index: int, masks: Tensor) -> Tensor:
        """Return the masks of an image at the size of its outputs, (Q, height, width)."""
        element = self.batch[index]
        images = self.model.preprocess(self.batch, self.model.pixel_mean, self.model.pixel_std)
        full = resize(masks[index][None], images.padded_size)[0]
        return restore_size(full, images.sizes[index], ImageSize(element["height"], element["width"]))

    def _outputs(self, index: int, output: dict[str, Any], logits: Tensor, masks: Tensor) -> Iterator[Row]:
        arrays, metadata = self.golden.arrays, self.golden.metadata["images"][index]
        name = f"final_cls{index}"
        yield from self.compare.kept(self.golden, name, logits, floor=self.golden.floor(name, "max"))
        if "sem_seg" in output:
            yield from self._semantic(index, output["sem_seg"], logits)
        scored = Scored(logits, masks, tolerance(logits.numpy(), 0.0), mask_margin(masks))
        for stage in sorted(arrays):
            match = re.fullmatch(rf"panoptic{index}(_ot(.+))?", stage)
            if match:
                postprocessor = self.model.postprocessor
                if match[2]:
                    postprocessor = replace(postprocessor, overlap_threshold=float(match[2]))
                segments = metadata[f"segments_info{match[1] or ''}"]
                yield compare_panoptic(
                    self.compare, stage, scored, postprocessor, self.model.vocabulary.isthing, arrays[stage], segments
                )
        if f"inst_scores{index}" in arrays:
            shape = (len(arrays[f"inst_scores{index}"]), *masks.shape[1:])
            packed = np.unpackbits(arrays[f"inst_masks{index}"], count=int(np.prod(shape))).reshape(shape)
            golden = (arrays[f"inst_scores{index}"], arrays[f"inst_classes{index}"], packed.astype(bool))
            yield compare_instances(
                self.compare,
                f"instances{index}",
                output["instances"],
                golden,
                scored,
                self.model.postprocessor.detections,
            )

    def _semantic(self, index: int, scores: Tensor, logits: Tensor) -> Iterator[Row]:
        arrays, metadata, name = self.golden.arrays, self.golden.metadata["images"][index], f"sem_seg{index}"
        floor, term = self.golden.floor(name, "max"), tolerance(logits.numpy(), 0.0)
        for stage, values in (
            (name, scores[:, ::2, ::2]),
            (f"sem_seg_mean{index}", scores.double().mean(dim=(1, 2))),
        ):
            if stage in arrays:
                yield self.compare.within(stage, values, arrays[stage], sum_tolerance(arrays[stage], floor, term))
        if "sem_seg_argmax_hist" in metadata:
            margin = 2 * tolerance(scores.numpy(), 0.0)
            yield compare_label_counts(self.compare, f"labels{index}", scores, metadata["sem_seg_argmax_hist"], margin)


def _element(golden: Golden, index: int) -> dict[str, Any]:
    """Return an element of the batch.

    Raises:
        DataError: The image has another checksum than that of the reference.
    """
    metadata = golden.metadata["images"][index]
    kept = golden.arrays.get(f"image{index}")
    image = evaluate_recipe(metadata.get("recipe", "")) if kept is None else torch.from_numpy(kept)
    if "crc32" in metadata:
        check_crc(golden.name, image, metadata["crc32"])
    return {"image": image, "height": metadata["height"], "width": metadata["width"]}


def _with_proposals(settings: InferenceSettings, values: dict[str, Any]) -> InferenceSettings:
    """Return settings in which proposals vote as in the released model."""
    ensemble = ProposalEnsemble(alpha=values["SAM_MASK_PRED_ALPHA"], pooling="released")
    return replace(settings, ensemble=settings.ensemble._replace(proposals=ensemble))


def _proposals(metadata: dict[str, Any], count: int) -> Proposals:
    """Return the synthetic SAM proposals of a golden, whose logits have the size of the image."""
    seed = int(find(r"make_image\((\d+)", metadata["recipe"])[1])
    height, width = metadata["height"], metadata["width"]
    blobs = make_blob_masks(seed + 5000, count, height, width, cell=16)
    logits = torch.where(blobs, 4.0, -4.0) + 0.5 * randn(seed + 6000, count, height, width)
    side = max(height, width)  # a square like SAM's input, with the image in its upper left corner at full resolution
    return Proposals(
        logits=F.pad(logits, (0, side - width, 0, side - height)),
        predicted_ious=torch.ones(count),
        stability=torch.ones(count),
        areas=(logits > 0).flatten(1).sum(dim=1),
        placement=Placement((height, width), (height, width), side),
        min_region_area=0,
    )


def _logits(votes: ProposalVotes | None) -> Tensor:
    """Return CLIP's class logits under the proposals, empty for an image without proposals."""
    return torch.empty(0) if votes is None else votes.logits
