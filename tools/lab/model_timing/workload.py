"""Work that a process times: segmentation of images or training steps on synthetic inputs, or encoding of class names.

The code runs in processes of other checkouts, so it uses only names of the library that all of them have.
"""

import importlib.util
import inspect
from collections.abc import Sequence
from itertools import repeat
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg.config import CfgNode, load_config
from frozenseg.data.spec import read_categories
from frozenseg.device import pick_device
from frozenseg.engine.training.optimizer import build_gradient_clip, build_optimizer
from frozenseg.engine.training.precision import Precision
from frozenseg.engine.training.trainer import Hook, Step, Trainer
from frozenseg.modeling.build import build_model
from frozenseg.modeling.clip.text_classifier import TextClassifier
from frozenseg.modeling.flops import placeholder_text_embeddings
from frozenseg.modeling.types import TextEmbeddings
from frozenseg.structures.instances import Instances
from frozenseg.vocabulary import Vocabulary
from lab.model_timing.case import Case
from lab.model_timing.model_of_config import numbered_classes
from lab.model_timing.part_clock import PartClock
from lab.model_timing.parts import BACKWARD, CLIPPING, OPTIMIZER, time_parts
from lab.parity.fill import fill
from lab.parity.inputs import make_blob_masks, make_image, make_labels, randn

TEXT_SEED, LABEL_SEED = 1, 2


class Segmentation:
    """Segmentation of a batch of images with cached text embeddings.

    Args:
        config: YAML file.
        options: ``KEY VALUE`` overrides.
        classes: number of training classes.
        scores: return the scores of all classes of each pixel instead of labels.
    """

    def __init__(self, config: str, options: Sequence[str], classes: int, scores: bool) -> None:
        self.cfg = load_config(config, options)
        self.model, self.clock = timed_model(self.cfg, classes)
        self.model.eval()
        if not scores:
            self.model.return_labels()
        self.model.text_classifier = random_text_embeddings
        self.model.postprocess = self._recorded(self.model.postprocess)
        self.batch: list[dict[str, Any]] = []
        self.results: dict[str, Any] = {}
        self._keeps = False

    def prepare(self, case: Case) -> None:
        """Set the input of the following runs."""
        self.model.set_vocabulary(numbered_classes(case.classes))
        size = {"height": case.output_height, "width": case.output_width}
        self.batch = [{"image": make_image(seed, case.height, case.width), **size} for seed in range(case.batch)]

    def run(self, keep: bool) -> float:
        """Segment the batch; returns the seconds, those of the parts are in ``clock``.

        Args:
            keep: True to keep the results in ``results``.
        """
        self._keeps, self.results = keep, {}
        with torch.inference_mode():
            outputs, seconds = self.clock.whole(lambda: self.model(self.batch))
        if keep:
            for index, output in enumerate(outputs):
                self.results |= {f"{name} of image {index}": value for name, value in plain_tensors(output).items()}
        return seconds

    def _recorded(self, postprocess: Any) -> Any:
        signature = inspect.signature(postprocess)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._keeps:
                inputs = signature.bind(*args, **kwargs).arguments
                self.results |= {"class scores": inputs["logits"].semantic.cpu(), "mask logits": inputs["masks"].cpu()}
            return postprocess(*args, **kwargs)

        return call


class Training(Hook):
    """Training steps on one batch, by the trainer.

    Args:
        config: YAML file.
        options: ``KEY VALUE`` overrides.
        classes: number of training classes.
        scores: not read.
    """

    def __init__(self, config: str, options: Sequence[str], classes: int, scores: bool) -> None:
        del scores
        self.cfg = load_config(config, options)
        self.model, self.clock = timed_model(self.cfg, classes)
        self.model.text_classifier = random_text_embeddings
        self.optimizer = build_optimizer(self.cfg, self.model)
        self.clip = self.clock.timed(CLIPPING, build_gradient_clip(self.cfg))
        self.batch: list[dict[str, Any]] = []
        self.results: dict[str, Any] = {}
        self._losses_known: Any = None
        self.model.register_forward_pre_hook(self._before_forward)
        self.model.register_forward_hook(self._after_forward)
        self._time_optimizer()

    def prepare(self, case: Case) -> None:
        """Set the input of the following runs."""
        self.batch = [training_image(seed, case) for seed in range(case.batch)]

    def run(self, keep: bool) -> float:
        """Run one step; returns its seconds, those of the parts are in ``clock``.

        Args:
            keep: True to keep the losses and the norm of the gradient in ``results``.
        """
        torch.manual_seed(0)
        self._losses_known = None
        trainer = Trainer(
            self.model,
            repeat(self.batch),
            self.optimizer,
            steps=range(1),
            images_at_once=self.cfg.SOLVER.IMAGES_AT_ONCE,
            clip=self._clip,
            precision=Precision.from_config(self.cfg, self.clock.device),
            hooks=[self],
        )
        _, seconds = self.clock.whole(trainer.train)
        self.optimizer.zero_grad(set_to_none=True)
        if not keep:
            self.results = {}
        return seconds

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Record the losses and the norm of the gradient."""
        del trainer
        self.results = {name: loss.cpu() for name, loss in step.losses.items()}
        self.results["gradient norm"] = torch.tensor(step.gradient_norm)

    def _before_forward(self, *_: Any) -> None:
        if self._losses_known is not None:  # of the previous part of the batch
            self._end_backward()

    def _after_forward(self, *_: Any) -> None:
        self._losses_known = self.clock.now()

    def _end_backward(self) -> None:
        self.clock.add(BACKWARD, self._losses_known, self.clock.now())

    def _clip(self, parameters: Any) -> Tensor:
        self._end_backward()
        norm: Tensor = self.clip(parameters)
        return norm

    def _time_optimizer(self) -> None:
        marks: list[Any] = []
        self.optimizer.register_step_pre_hook(lambda *_: marks.append(self.clock.now()))
        self.optimizer.register_step_post_hook(lambda *_: self.clock.add(OPTIMIZER, marks.pop(), self.clock.now()))


class TextEncoding:
    """Text embeddings of the first LVIS classes, one name each, without a cache.

    Args:
        config: YAML file.
        options: ``KEY VALUE`` overrides.
        classes: of the model, which do not matter.
        scores: not read.
    """

    def __init__(self, config: str, options: Sequence[str], classes: int, scores: bool) -> None:
        del scores
        self.cfg = load_config(config, options)
        self.model, self.clock = timed_model(self.cfg, classes)
        self.vocabulary = numbered_classes(classes)
        self.results: dict[str, Any] = {}

    def prepare(self, case: Case) -> None:
        """Set the classes of the following runs."""
        names = [row.names[0] for row in read_categories("lvis.tsv")]
        self.vocabulary = Vocabulary.from_strings(names[: case.classes])

    def run(self, keep: bool) -> float:
        """Encode the vocabulary; returns the seconds.

        Args:
            keep: True to keep the embeddings in ``results``.
        """
        classifier = TextClassifier(self.model.backbone)
        with torch.inference_mode():
            text, seconds = self.clock.whole(lambda: classifier(self.vocabulary, self.model.void_embedding.weight))
        self.results = {"text embeddings": text.embeddings.cpu()} if keep else {}
        return seconds


WORKLOADS = {"segmentation": Segmentation, "training": Training, "text": TextEncoding}


def timed_model(cfg: CfgNode, classes: int) -> tuple[Any, PartClock]:
    """Build the model of a config with deterministic weights on its device, with a clock of its parts."""
    device = pick_device(cfg.MODEL.DEVICE)
    model = build_model(cfg, numbered_classes(classes))
    fill(model)
    if importlib.util.find_spec("frozenseg.modeling.acceleration") is None:
        model.to(device)  # an earlier version
    else:
        importlib.import_module("frozenseg.modeling.acceleration").on_device(model, cfg, device)
    clock = PartClock(device)
    time_parts(model, clock)
    return model, clock


def random_text_embeddings(vocabulary: Vocabulary, void: Tensor) -> TextEmbeddings:
    """Return random text embeddings, the same in every process, in place of a ``TextClassifier``.

    Args:
        vocabulary: C classes with N synonyms.
        void: (1, E) void embedding.
    """
    same = placeholder_text_embeddings(vocabulary, void)
    random = randn(TEXT_SEED, *same.embeddings.shape).to(void.device)
    return same._replace(embeddings=torch.cat([F.normalize(random, dim=-1)[:-1], F.normalize(void, dim=-1)]))


def training_image(seed: int, case: Case) -> dict[str, Any]:
    """Return an image with blobs as target masks."""
    size = (case.height, case.width)
    masks = make_blob_masks(seed, case.masks, *size)
    labels = make_labels(LABEL_SEED + seed, case.masks, case.classes)
    instances = Instances(size, gt_classes=labels, gt_masks=masks)
    return {"image": make_image(seed, *size), "height": size[0], "width": size[1], "instances": instances, "seed": seed}


def plain_tensors(output: dict[str, Any]) -> dict[str, Tensor]:
    """Return the outputs of an image as tensors on the CPU."""
    tensors = {}
    if "sem_seg" in output:
        tensors["semantic"] = output["sem_seg"]
    if "panoptic_seg" in output:
        tensors["panoptic"] = output["panoptic_seg"][0]
    if "instances" in output:
        instances = output["instances"]
        tensors |= {"instance scores": instances.scores, "instance masks": instances.pred_masks}
    return {name: tensor.cpu() for name, tensor in tensors.items()}
