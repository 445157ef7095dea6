"""A batch of images through the whole model, compared stage by stage.

Letters: B images, Q queries, C classes, M proposals, H×W the padded input.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.ensemble.mask_proposals import mask_proposal_ensemble
from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.postprocess.restore_size import restore_size
from frozenseg.modeling.types import Prediction, TextEmbeddings
from frozenseg.structures.image_list import ImageSize
from lab.parity.compare import SUSPICIOUS, Comparer, Row, tolerance
from lab.parity.discrete import Scored, compare_instances, compare_label_counts, compare_panoptic
from lab.parity.goldens import Golden
from lab.parity.inputs import check_crc, follow, make_blob_masks, randn
from lab.parity.predictions import compare_maps, compare_predictions, decode, mask_floor, mask_margin
from lab.parity.recorder import Recorder
from lab.parity.ties import differing, pooled_otherwise

KEPT_MASKS = 5  # goldens keep the masks of every fifth query


class Segmentation:
    """Runs one golden.

    Args:
        golden: the case.
        model: its model, filled, in eval mode.
    """

    def __init__(self, golden: Golden, model: MaskClassifier) -> None:
        self.golden, self.model = golden, model
        self.compare = Comparer(golden.name)
        self.batch = [_element(golden, index) for index in range(len(golden.about["images"]))]

    @torch.no_grad()
    def run(self) -> Iterator[Row]:
        """Yield a row for every stage, in the order of the computation."""
        golden, compare = self.golden, self.compare
        with Recorder(self.model) as record:
            outputs = self.model(self.batch)
        words = self.model.text_embeddings()
        yield from compare.kept(
            golden, "text_classifier", words.embeddings, floor=golden.floor("text_classifier", "max")
        )
        yield from compare_maps(compare, golden, record.stages())
        decoded = decode(self.model, golden, record, words)
        yield from compare_predictions(compare, golden, decoded)
        last = decoded.predictions[-1]
        yield from compare.kept(golden, "pred_masks_q5", last.masks[:, ::KEPT_MASKS], floor=mask_floor(golden))
        own, dense_masks, ties = self._out_of_vocabulary(record, last, words)
        floor = golden.floor("out_vocab_logits", "max")
        yield from compare.kept(golden, "out_vocab_logits", own, floor=floor, ties=ties)
        logits = self.model.ensemble(
            Prediction(last.logits, dense_masks), record.clip, words, self.model.inference_settings
        )
        if ties + sum(decoded.ties):
            images = self.model.preprocess(self.batch, self.model.pixel_mean, self.model.pixel_std)
            outputs = self.model.postprocess(logits, last.masks, images, self.batch, self.model.inference_settings)
        for index, output in enumerate(outputs):
            if "sam_out_vocab_logits" in golden.arrays:
                yield from self._add_proposals(index, output, record, words)
            yield from self._read_outs(index, output, logits[index], self._full_size(index, last.masks))

    def _out_of_vocabulary(
        self, record: Recorder, last: Prediction, words: TextEmbeddings
    ) -> tuple[Tensor, Tensor, int]:
        """Return CLIP's logits under each mask, the masks at the dense map's size, and how many ties they had."""
        dense = record.clip.dense
        masks = resize(last.masks, dense.shape[-2:]).clone()
        logits = self._classify(dense, masks, words)
        if "out_vocab_logits" not in self.golden.arrays:
            return logits, masks, 0
        golden = torch.from_numpy(self.golden.arrays["out_vocab_logits"])
        suspicious = SUSPICIOUS * float(golden.std())
        ties = 0
        for place, difference in differing(logits, golden, suspicious).items():
            image = dense[place[0] : place[0] + 1]
            turned = pooled_otherwise(
                lambda variants, image=image: self._classify(image, variants[None], words)[0],
                masks[place],
                golden[place],
                difference=difference,
                margin=mask_margin(last.masks),
            )
            if turned is not None:
                logits[place], masks[place] = turned.logits, turned.mask
                ties += turned.pixels
        return logits, masks, ties

    def _classify(self, dense: Tensor, masks: Tensor, words: TextEmbeddings) -> Tensor:
        backbone = self.model.backbone
        return class_logits(backbone.project(dense, masks), words, backbone.logit_scale)

    def _add_proposals(
        self, index: int, output: dict[str, Any], record: Recorder, words: TextEmbeddings
    ) -> Iterator[Row]:
        """Compare the classes of SAM's masks, and let these vote in the semantic output, with the reference's classes.

        So the ensemble is compared whatever has come of the classes.
        """
        golden = self.golden.arrays["sam_out_vocab_logits"][index]
        masks = _proposals(self.golden.about["images"][index], len(golden))
        logits = self._classify(record.clip.dense[index : index + 1], masks[None], words)[0]
        yield self.compare.close(f"sam_out_vocab_logits{index}", logits, golden)
        seen = torch.tensor(self.model.seen)
        alpha = self.golden.about["config"]["TEST"]["SAM_MASK_PRED_ALPHA"]
        output["sem_seg"] = mask_proposal_ensemble(output["sem_seg"], torch.from_numpy(golden), masks, seen, alpha)

    def _full_size(self, index: int, masks: Tensor) -> Tensor:
        """Return an image's masks (Q, height, width) at the size of its outputs."""
        element = self.batch[index]
        images = self.model.preprocess(self.batch, self.model.pixel_mean, self.model.pixel_std)
        full = resize(masks[index][None], images.padded_size)[0]
        return restore_size(full, images.sizes[index], ImageSize(element["height"], element["width"]))

    def _read_outs(self, index: int, output: dict[str, Any], logits: Tensor, masks: Tensor) -> Iterator[Row]:
        arrays, about = self.golden.arrays, self.golden.about["images"][index]
        name = f"final_cls{index}"
        yield from self.compare.kept(self.golden, name, logits, floor=self.golden.floor(name, "max"))
        if "sem_seg" in output:
            yield from self._semantic(index, output["sem_seg"])
        scored = Scored(logits, masks, tolerance(logits.numpy(), 0.0), mask_margin(masks))
        for stage in sorted(arrays):
            match = re.fullmatch(rf"panoptic{index}(_ot(.+))?", stage)
            if match:
                postprocessor = self.model.postprocessor
                if match[2]:
                    postprocessor = replace(postprocessor, overlap_threshold=float(match[2]))
                segments = about[f"segments_info{match[1] or ''}"]
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

    def _semantic(self, index: int, scores: Tensor) -> Iterator[Row]:
        about, name = self.golden.about["images"][index], f"sem_seg{index}"
        floor = self.golden.floor(name, "max")
        yield from self.compare.kept(self.golden, name, scores[:, ::2, ::2], floor=floor)
        yield from self.compare.kept(self.golden, f"sem_seg_mean{index}", scores.double().mean(dim=(1, 2)), floor=floor)
        if "sem_seg_argmax_hist" in about:
            margin = 2 * tolerance(scores.numpy(), 0.0)
            yield compare_label_counts(self.compare, f"labels{index}", scores, about["sem_seg_argmax_hist"], margin)


def _element(golden: Golden, index: int) -> dict[str, Any]:
    """Return an image of the batch.

    Raises:
        DataError: it is not the one that the reference saw.
    """
    about = golden.about["images"][index]
    kept = golden.arrays.get(f"image{index}")
    image = follow(about.get("recipe", "")) if kept is None else torch.from_numpy(kept)
    if "crc32" in about:
        check_crc(golden.name, image, about["crc32"])
    return {"image": image, "height": about["height"], "width": about["width"]}


def _proposals(about: dict[str, Any], count: int) -> Tensor:
    """Return made-up masks for SAM's, (M, height, width) logits, as the goldens with proposals describe them."""
    seed = int(re.search(r"make_image\((\d+)", about["recipe"])[1])
    size = (count, about["height"], about["width"])
    blobs = make_blob_masks(seed + 5000, *size, cell=16)
    return torch.where(blobs, 4.0, -4.0) + 0.5 * randn(seed + 6000, *size)
