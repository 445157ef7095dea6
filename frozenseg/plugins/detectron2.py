"""FrozenSeg and FC-CLIP as Detectron2 meta-architectures: the one file that meets Detectron2.

Example::

    from detectron2.config import get_cfg
    from frozenseg.plugins import detectron2 as frozenseg

    frozenseg.register()
    cfg = get_cfg()
    frozenseg.add_frozenseg_config(cfg)
    cfg.merge_from_file("configs/frozenseg/convnext_large.yaml")
    trainer = frozenseg.FrozenSegTrainer(cfg)

What is registered is called as Detectron2 calls its own: ``FrozenSeg(cfg)``. Inside stands the model of
``frozenseg.modeling``, with the same names of weights; only the ``Instances`` at its doors are Detectron2's.
"""

import argparse
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.config import CfgNode
from detectron2.config import get_cfg as detectron2_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.engine import DefaultTrainer, HookBase, default_setup
from detectron2.engine import launch as detectron2_launch
from detectron2.engine.hooks import PeriodicCheckpointer, PeriodicWriter
from detectron2.evaluation import DatasetEvaluator
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, META_ARCH_REGISTRY, SEM_SEG_HEADS_REGISTRY, Backbone
from detectron2.structures import BitMasks, Boxes, Instances, PolygonMasks
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from frozenseg import distributed
from frozenseg.config import CfgNode as FrozenSegCfg
from frozenseg.data import catalog as ours
from frozenseg.data.checks.before_run import check_samples
from frozenseg.data.dataset import ResolvedDataset
from frozenseg.data.loader import CheckedLoader, EvalDataset, TrainDataset
from frozenseg.data.run_vocabulary import resolve_for_run
from frozenseg.data.seen_classes import seen_classes
from frozenseg.engine.checkpoints.random_states import seed_everything
from frozenseg.engine.evaluation.protocol import benchmark_configs
from frozenseg.engine.evaluation.runner import (
    build_benchmark,
    inference_settings,
    prompted_vocabulary,
    requested_outputs,
)
from frozenseg.engine.training.lr_schedule import build_lr_schedule
from frozenseg.engine.training.optimizer import build_gradient_clip, build_optimizer
from frozenseg.errors import ConfigError, DataError
from frozenseg.evaluation.expected import ExpectedScore, check_results, read_expected
from frozenseg.log import setup_logging
from frozenseg.modeling.augmentation import augmented
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.frozen import precision_named
from frozenseg.modeling.load_weights import load_trained
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.meta_arch.sem_seg_head import SemSegHead
from frozenseg.plugins.detectron2_command_line import checked_config
from frozenseg.plugins.detectron2_config import (
    add_frozenseg_config,
    frozenseg_config,
    refuse_parts,
    take_over,
    tell_keys_without_effect,
)
from frozenseg.plugins.detectron2_data import fields_for_detectron2, fields_from_detectron2
from frozenseg.registry import META_ARCH
from frozenseg.structures.instances import Instances as FrozenSegInstances
from frozenseg.vocabulary import Vocabulary

__all__ = ["CLIP", "FCCLIP", "FCCLIPHead", "FrozenSeg", "FrozenSegHead", "FrozenSegTrainer", "add_frozenseg_config"]
__all__ += ["frozenseg_config", "register", "start"]
STRIDES = {"res2": 4, "res3": 8, "res4": 16, "res5": 32}
Batch = list[dict[str, Any]]


def register() -> None:
    """Make models, backbone, heads and data sets known to Detectron2; doing it again changes nothing.

    What Detectron2 has already under one of the names stays as it is.
    """
    heads = (FrozenSegHead, FCCLIPHead)
    entries = ((META_ARCH_REGISTRY, (FrozenSeg, FCCLIP)), (BACKBONE_REGISTRY, (CLIP,)), (SEM_SEG_HEADS_REGISTRY, heads))
    for registry, found in entries:
        for entry in found:
            if entry.__name__ not in registry:
                registry.register(entry)
    for name in ours.DatasetCatalog.list():
        if name not in DatasetCatalog:
            DatasetCatalog.register(name, lambda name=name: ours.DatasetCatalog.get(name))
            known, fields = MetadataCatalog.get(name), fields_for_detectron2(name)
            known.set(**{field: value for field, value in fields.items() if field not in known.as_dict()})


def FrozenSeg(cfg: CfgNode) -> nn.Module:  # noqa: N802 (a registered name)
    """Build FrozenSeg as Detectron2 builds a meta-architecture; see :class:`AtTheDoor`."""
    return _build(cfg, "FrozenSeg")


def FCCLIP(cfg: CfgNode) -> nn.Module:  # noqa: N802 (a registered name)
    """Build FC-CLIP as Detectron2 builds a meta-architecture; see :class:`AtTheDoor`."""
    return _build(cfg, "FCCLIP")


class AtTheDoor(MaskClassifier):
    """Takes Detectron2's batches, and gives its ``Instances`` with ``Boxes``; all else is the model behind it.

    In eval mode it segments the words of the first of DATASETS.TEST, until ``set_vocabulary`` says otherwise.
    """

    def forward(self, batch: Batch, *arguments: Any, **options: Any) -> dict[str, Tensor] | list[dict[str, Any]]:
        """Train on or segment a batch of Detectron2's; see :meth:`MaskClassifier.forward`."""
        outputs = super().forward([_taken_in(element) for element in batch], *arguments, **options)
        return outputs if self.training else [_given_out(output) for output in outputs]


class CLIP(Backbone):
    """The frozen CLIP as a backbone: ``res2`` … ``res5``, and ``dense``, res5 as CLIP pools it.

    Args:
        cfg: with our keys.
        input_shape: not used; CLIP reads three channels, RGB.
    """

    def __init__(self, cfg: CfgNode, input_shape: ShapeSpec | None = None) -> None:
        super().__init__()
        section = frozenseg_config(cfg).MODEL.CLIP
        self.clip = build_clip(section.CLIP_MODEL_NAME, section.CLIP_PRETRAINED_WEIGHTS)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the maps of normalised images (B, 3, H, W), by name."""
        return self.clip(image)._asdict()

    def output_shape(self) -> dict[str, ShapeSpec]:
        """Return channels and strides by name."""
        shapes = {
            name: ShapeSpec(channels=channels, stride=stride)
            for (name, stride), channels in zip(STRIDES.items(), self.clip.channels, strict=True)
        }
        return {**shapes, "dense": shapes["res5"]}

    @property
    def size_divisibility(self) -> int:
        """Images are padded to multiples of it."""
        return max(STRIDES.values())


def FrozenSegHead(cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> SemSegHead:  # noqa: N802 (a registered name)
    """Build the decoders with SAM's branch."""
    return _build_head(cfg, input_shape, frozenseg_config(cfg).MODEL.MASK_FORMER.HIDDEN_DIM)


def FCCLIPHead(cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> SemSegHead:  # noqa: N802 (a registered name)
    """Build the decoders without SAM."""
    return _build_head(cfg, input_shape, None)


class FrozenSegTrainer(DefaultTrainer):
    """Detectron2's trainer with our mapper, optimiser groups, schedule and evaluators."""

    def __init__(self, cfg: CfgNode) -> None:
        own = frozenseg_config(cfg)
        refuse_parts(own)
        tell_keys_without_effect(own)
        super().__init__(cfg)

    @classmethod
    def build_model(cls, cfg: CfgNode) -> nn.Module:
        """Build the model, the same on all processes."""
        seed_everything(max(cfg.SEED, 0))
        return super().build_model(cfg)

    @classmethod
    def build_train_loader(cls, cfg: CfgNode) -> Iterable[Batch]:
        """Return our endless stream of batches."""
        return _open_training(frozenseg_config(cfg)).batches()

    @classmethod
    def build_test_loader(cls, cfg: CfgNode, dataset_name: str) -> Iterable[Batch]:
        """Return our test pictures, one a batch."""
        our_cfg = frozenseg_config(cfg)
        test_set = EvalDataset.open(our_cfg, resolve_for_run(our_cfg, dataset_name), requested_outputs(our_cfg))
        check_samples([test_set.opened], our_cfg.DATASETS.SKIP_BAD)
        return test_set.batches()

    @classmethod
    def build_evaluator(cls, cfg: CfgNode, dataset_name: str) -> DatasetEvaluator:
        """Return our metrics."""
        own = frozenseg_config(cfg)
        training = resolve_for_run(own, own.DATASETS.TRAIN[0])
        return build_benchmark(own, resolve_for_run(own, dataset_name), training).evaluators

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
        """Return our optimiser; it clips the gradients of the full model before each step."""
        own = frozenseg_config(cfg)
        optimizer, clip = build_optimizer(own, model), build_gradient_clip(own)
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        optimizer.register_step_pre_hook(lambda *_: clip(parameters) and None)
        return optimizer

    @classmethod
    def build_lr_scheduler(cls, cfg: CfgNode, optimizer: torch.optim.Optimizer) -> LambdaLR:
        """Return our schedule."""
        return LambdaLR(optimizer, build_lr_schedule(frozenseg_config(cfg)).factor)

    def build_hooks(self) -> list[HookBase]:
        """Return Detectron2's hooks with our periods, of which 0 means only at the end."""
        hooks = super().build_hooks()
        for hook in hooks:
            if isinstance(hook, PeriodicWriter):
                hook._period = self.cfg.LOG_PERIOD or self.max_iter  # Detectron2 has no key for it, and always takes 20
            elif isinstance(hook, PeriodicCheckpointer):
                hook.period = self.cfg.SOLVER.CHECKPOINT_PERIOD or self.max_iter
        return hooks

    def resume_or_load(self, resume: bool = True) -> None:
        """Go on from the last checkpoint and with the images after it, or start from MODEL.WEIGHTS of any form."""
        if resume and self.checkpointer.has_checkpoint():
            super().resume_or_load(resume=True)
            if isinstance(self._trainer.data_loader, CheckedLoader):  # a subclass may have another
                own, done = frozenseg_config(self.cfg), self.start_iter
                self._trainer.reset_data_loader(lambda: _open_training(own).batches(done))
        elif self.cfg.MODEL.WEIGHTS:
            _load(getattr(self.model, "module", self.model), self.cfg)

    @classmethod
    def test(cls, cfg: CfgNode, model: nn.Module, evaluators: Any = None) -> dict[str, Any]:
        """Evaluate on every test set by its own words and protocol; see :meth:`DefaultTrainer.test`."""
        segmenter = getattr(model, "module", model)
        given = [evaluators] if isinstance(evaluators, DatasetEvaluator) else evaluators
        for name in cfg.DATASETS.TEST:
            _know(name)
        our_cfg = frozenseg_config(cfg)
        datasets = [resolve_for_run(our_cfg, name) for name in dict.fromkeys(cfg.DATASETS.TEST)]
        configs = benchmark_configs(our_cfg, datasets)
        results: dict[str, Any] = OrderedDict()
        for dataset, own, evaluator in zip(datasets, configs, given or [None] * len(datasets), strict=True):
            alone = cfg.clone()
            alone.defrost()
            take_over(alone, own)
            alone.DATASETS.TEST = (dataset.name,)
            with segmenter.using(inference_settings(segmenter, own, *_words_of(own, dataset))):
                results[dataset.name] = super().test(alone, augmented(segmenter, own), evaluator)
        return next(iter(results.values())) if len(results) == 1 else results


def start(arguments: argparse.Namespace, opts: list[str]) -> int:
    """Do what the command line of ``tools/train_net.py --engine detectron2`` asks for; returns the exit code.

    Args:
        arguments: the command line.
        opts: ``[KEY, VALUE, …]``.

    Raises:
        FrozenSegError: a mistake that the user can mend.
    """
    register()
    cfg = detectron2_cfg()
    own = checked_config(cfg, arguments, opts)
    expected = read_expected(own.TEST.EXPECTED_RESULTS, own.DATASETS.TEST)
    detectron2_launch(
        _run,
        arguments.num_gpus,
        num_machines=arguments.num_machines,
        machine_rank=arguments.machine_rank,
        dist_url=arguments.dist_url,
        args=(cfg, arguments, expected),
    )
    return 0


def _run(cfg: CfgNode, arguments: argparse.Namespace, expected: Sequence[ExpectedScore]) -> None:
    """Train or evaluate as one of the processes."""
    setup_logging(cfg.OUTPUT_DIR, distributed.rank())
    register()
    default_setup(cfg, arguments)
    cfg.TEST.EXPECTED_RESULTS = []  # Detectron2 compares them after training only, and knows no names of benchmarks
    cfg.freeze()
    if arguments.eval_only:
        tell_keys_without_effect(frozenseg_config(cfg))
        results = FrozenSegTrainer.test(cfg, _trained_model(cfg, arguments.resume))
    else:
        trainer = FrozenSegTrainer(cfg)
        trainer.resume_or_load(resume=arguments.resume)
        trainer.train()
        results = trainer._last_eval_results
    check_results(expected, results if len(cfg.DATASETS.TEST) > 1 else dict.fromkeys(cfg.DATASETS.TEST, results))


def _trained_model(cfg: CfgNode, resume: bool) -> nn.Module:
    """Build a model with the weights of the last checkpoint, or of MODEL.WEIGHTS."""
    model = FrozenSegTrainer.build_model(cfg)
    checkpointer = DetectionCheckpointer(model, save_dir=cfg.OUTPUT_DIR)
    if resume and checkpointer.has_checkpoint():
        checkpointer.resume_or_load("", resume=True)
    elif cfg.MODEL.WEIGHTS:
        _load(model, cfg)
    return model


def _build(cfg: CfgNode, name: str) -> nn.Module:
    own = frozenseg_config(cfg).clone()
    own.defrost()
    own.MODEL.META_ARCHITECTURE = name
    if not own.DATASETS.TRAIN:
        raise ConfigError("DATASETS.TRAIN is empty: name the data set whose classes the model is trained on.")
    for dataset in (*own.DATASETS.TRAIN, *own.DATASETS.TEST):
        _know(dataset)
    base = META_ARCH.look_up(name)
    model = type(name, (AtTheDoor, base), {"__doc__": base.__doc__, "__module__": __name__}).from_config(
        own, resolve_for_run(own, own.DATASETS.TRAIN[0]).vocabulary
    )
    model.set_frozen_precision(precision_named(own.MODEL.FROZEN_DTYPE))
    if own.DATASETS.TEST:
        model.set_vocabulary(*_words_of(own, resolve_for_run(own, own.DATASETS.TEST[0])))
    return model


def _build_head(cfg: CfgNode, input_shape: dict[str, ShapeSpec], sam_channels: int | None) -> SemSegHead:
    own = frozenseg_config(cfg)
    embed_dim = own.MODEL.CLIP.EMBED_DIM
    if not embed_dim:
        raise ConfigError("EMBED_DIM is 0: a head alone sees no CLIP, so set it to the width of CLIP's joint space.")
    channels = tuple(input_shape[level].channels for level in STRIDES)
    return SemSegHead.from_config(own, channels=channels, embed_dim=embed_dim, sam_channels=sam_channels)


def _words_of(cfg: FrozenSegCfg, dataset: ResolvedDataset) -> tuple[Vocabulary, tuple[bool, ...]]:
    """Return what a model is asked for on a data set, and which of these words count as seen."""
    seen = seen_classes(dataset, resolve_for_run(cfg, cfg.DATASETS.TRAIN[0]), cfg.DATASETS.SEEN_RULE)
    return prompted_vocabulary(cfg, dataset.vocabulary, seen)


def _open_training(cfg: FrozenSegCfg) -> TrainDataset:
    """Open the data sets to train on, and check a sample of their images."""
    train_set = TrainDataset.open(cfg, [resolve_for_run(cfg, name) for name in cfg.DATASETS.TRAIN])
    check_samples(train_set.parts, cfg.DATASETS.SKIP_BAD)
    return train_set


def _know(name: str) -> None:
    """Bring a data set that only Detectron2 knows into our catalogs: its records, and its classes as words."""
    if name in ours.DatasetCatalog.list() or name not in DatasetCatalog:
        return
    ours.DatasetCatalog.register(name, lambda: DatasetCatalog.get(name))
    ours.MetadataCatalog.register(name, lambda: fields_from_detectron2(MetadataCatalog.get(name).as_dict()))


def _taken_in(element: dict[str, Any]) -> dict[str, Any]:
    """Return a batch element of Detectron2's as one of ours."""
    own = dict(element)
    if own["image"].is_floating_point():  # as DefaultPredictor gives it
        own["image"] = own["image"].round().clamp(0, 255).to(torch.uint8)
    if isinstance(own.get("instances"), Instances):
        found = own["instances"]
        own["instances"] = FrozenSegInstances(found.image_size, gt_classes=found.gt_classes, gt_masks=_masks_of(found))
    return own


def _masks_of(instances: Instances) -> Tensor:
    """Return the target masks, which have any of Detectron2's forms, as (n, H, W) bool."""
    if not instances.has("gt_masks"):
        if len(instances):
            raise DataError("A training batch has no gt_masks: set MODEL.MASK_ON True for Detectron2's own mapper.")
        return torch.zeros(0, *instances.image_size, dtype=torch.bool)  # its mapper says no more of an empty image
    masks = instances.gt_masks
    if isinstance(masks, PolygonMasks):
        masks = BitMasks.from_polygon_masks(masks, *instances.image_size)
    return (masks.tensor if isinstance(masks, BitMasks) else masks).bool()


def _given_out(output: dict[str, Any]) -> dict[str, Any]:
    """Return an output of ours with Detectron2's ``Instances``."""
    if "instances" not in output:
        return output
    fields = dict(output["instances"].get_fields())
    boxes = Boxes(fields.pop("pred_boxes"))
    return {**output, "instances": Instances(output["instances"].image_size, pred_boxes=boxes, **fields)}


def _load(model: nn.Module, cfg: CfgNode) -> None:
    load_trained(model, cfg.MODEL.WEIGHTS, allow_partial=cfg.MODEL.ALLOW_PARTIAL_WEIGHTS)
