"""FrozenSeg and FC-CLIP as Detectron2 meta-architectures; the only module that imports Detectron2.

Example::

    from detectron2.config import get_cfg
    from frozenseg.plugins import detectron2 as frozenseg

    frozenseg.register()
    cfg = get_cfg()
    frozenseg.add_frozenseg_config(cfg)
    cfg.merge_from_file("configs/frozenseg/convnext_large.yaml")
    trainer = frozenseg.FrozenSegTrainer(cfg)

Registered entries have Detectron2's signatures: ``FrozenSeg(cfg)``. They build the model of ``frozenseg.modeling`` with
the same weight names; only its inputs and outputs have Detectron2's ``Instances``.
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
from frozenseg.data import catalog
from frozenseg.data.checks.before_run import check_samples
from frozenseg.data.dataset import ResolvedDataset
from frozenseg.data.loader import CheckedLoader, EvalDataset
from frozenseg.data.run_vocabulary import resolve_for_run
from frozenseg.engine.checkpoints.random_states import seed_everything
from frozenseg.engine.evaluation.protocol import benchmark_configs
from frozenseg.engine.evaluation.runner import build_benchmark, inference_settings, requested_outputs
from frozenseg.engine.training.lr_schedule import build_lr_schedule
from frozenseg.engine.training.optimizer import build_gradient_clip, build_optimizer
from frozenseg.errors import ConfigError, DataError
from frozenseg.evaluation.expected import ExpectedScore, check_results, read_expected
from frozenseg.log import setup_logging
from frozenseg.modeling.augmentation import augmented
from frozenseg.modeling.checkpoint_file import read_checkpoint
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.frozen import precision_named
from frozenseg.modeling.load_weights import load_checkpoint
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.meta_arch.sem_seg_head import SemSegHead
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.plugins.detectron2_command_line import checked_config
from frozenseg.plugins.detectron2_config import (
    add_frozenseg_config,
    check_images_at_once,
    copy_frozenseg_keys,
    frozenseg_config,
    warn_of_keys_without_effect,
)
from frozenseg.plugins.detectron2_data import (
    classes_of_weights,
    fields_for_detectron2,
    fields_from_detectron2,
    open_training,
    vocabulary_and_seen,
)
from frozenseg.registry import META_ARCH
from frozenseg.structures.instances import Instances as FrozenSegInstances

__all__ = ["CLIP", "FCCLIP", "FCCLIPHead", "FrozenSeg", "FrozenSegHead", "FrozenSegTrainer", "add_frozenseg_config"]
__all__ += ["frozenseg_config", "register", "start_detectron2"]
STRIDES = {"res2": 4, "res3": 8, "res4": 16, "res5": 32}
Batch = list[dict[str, Any]]


def register() -> None:
    """Register models, backbone, heads and data sets with Detectron2.

    Entries that Detectron2 already has under one of the names are kept, so that repeated calls change nothing.
    """
    heads = (FrozenSegHead, FCCLIPHead)
    entries = ((META_ARCH_REGISTRY, (FrozenSeg, FCCLIP)), (BACKBONE_REGISTRY, (CLIP,)), (SEM_SEG_HEADS_REGISTRY, heads))
    for registry, members in entries:
        for member in members:
            if member.__name__ not in registry:
                registry.register(member)
    for name in catalog.DatasetCatalog.list():
        if name not in DatasetCatalog:
            DatasetCatalog.register(name, lambda name=name: catalog.DatasetCatalog.get(name))
            metadata, fields = MetadataCatalog.get(name), fields_for_detectron2(name)
            metadata.set(**{field: value for field, value in fields.items() if field not in metadata.as_dict()})


def FrozenSeg(cfg: CfgNode) -> nn.Module:  # noqa: N802 (a registered name)
    """Return FrozenSeg for a config of Detectron2; see :class:`Detectron2Adapter`."""
    return _build(cfg, "FrozenSeg")


def FCCLIP(cfg: CfgNode) -> nn.Module:  # noqa: N802 (a registered name)
    """Return FC-CLIP for a config of Detectron2; see :class:`Detectron2Adapter`."""
    return _build(cfg, "FCCLIP")


class Detectron2Adapter(nn.Module):
    """Mix-in for a model that converts Detectron2's batches on input and our ``Instances`` on output.

    In eval mode the vocabulary is that of the first data set of DATASETS.TEST, until ``set_vocabulary`` is called.
    """

    trained_on: ResolvedDataset | None = None  # classes in the weights, which count as seen; None: DATASETS.TRAIN

    def forward(self, batch: Batch, *arguments: Any, **options: Any) -> dict[str, Tensor] | list[dict[str, Any]]:
        """Return the losses or the outputs for a batch of Detectron2; see :meth:`SegmentationModel.forward`."""
        outputs = super().forward([_from_detectron2(element) for element in batch], *arguments, **options)
        return outputs if self.training else [_to_detectron2(output) for output in outputs]


class CLIP(Backbone):
    """Frozen CLIP as a backbone with the feature maps ``res2`` … ``res5``, and ``dense``: res5 in the joint space.

    Args:
        cfg: config of Detectron2 with our keys.
        input_shape: not used; CLIP reads three channels, RGB.
    """

    def __init__(self, cfg: CfgNode, input_shape: ShapeSpec | None = None) -> None:
        super().__init__()
        section = frozenseg_config(cfg).MODEL.CLIP
        weights, stride = section.CLIP_PRETRAINED_WEIGHTS, section.POOLING_STRIDE
        self.clip = build_clip(section.CLIP_MODEL_NAME, weights, pooling_stride=stride)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the feature maps of normalised images (B, 3, H, W), by name."""
        return self.clip(image)._asdict()

    def output_shape(self) -> dict[str, ShapeSpec]:
        """Return channels and strides of the feature maps, by name."""
        named = zip(STRIDES.items(), self.clip.channels, strict=True)
        shapes = {name: ShapeSpec(channels=channels, stride=stride) for (name, stride), channels in named}
        return {**shapes, "dense": ShapeSpec(channels=shapes["res5"].channels, stride=self.clip.pooling_stride)}

    @property
    def size_divisibility(self) -> int:
        """Number that the height and width of padded images are multiples of, pixels."""
        return max(STRIDES.values())


def FrozenSegHead(cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> SemSegHead:  # noqa: N802 (a registered name)
    """Return the pixel and transformer decoders with the SAM branch."""
    return _build_head(cfg, input_shape, frozenseg_config(cfg).MODEL.MASK_FORMER.HIDDEN_DIM)


def FCCLIPHead(cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> SemSegHead:  # noqa: N802 (a registered name)
    """Return the pixel and transformer decoders without SAM."""
    return _build_head(cfg, input_shape, None)


class FrozenSegTrainer(DefaultTrainer):
    """Detectron2's trainer with our data loaders, optimiser, schedule and evaluators."""

    def __init__(self, cfg: CfgNode) -> None:
        our_cfg = frozenseg_config(cfg)
        check_images_at_once(our_cfg)
        warn_of_keys_without_effect(our_cfg)
        super().__init__(cfg)

    @classmethod
    def build_model(cls, cfg: CfgNode) -> nn.Module:
        """Return the model, with the same initial weights on all processes."""
        seed_everything(max(cfg.SEED, 0))
        return super().build_model(cfg)

    @classmethod
    def build_train_loader(cls, cfg: CfgNode) -> Iterable[Batch]:
        """Return our infinite stream of training batches."""
        return open_training(frozenseg_config(cfg)).batches()

    @classmethod
    def build_test_loader(cls, cfg: CfgNode, dataset_name: str) -> Iterable[Batch]:
        """Return our loader of test images, with one image per batch."""
        our_cfg = frozenseg_config(cfg)
        test_set = EvalDataset.open(our_cfg, resolve_for_run(our_cfg, dataset_name), requested_outputs(our_cfg))
        check_samples([test_set.opened], our_cfg.DATASETS.SKIP_BAD)
        return test_set.batches()

    @classmethod
    def build_evaluator(cls, cfg: CfgNode, dataset_name: str) -> DatasetEvaluator:
        """Return our evaluators of a data set."""
        our_cfg = frozenseg_config(cfg)
        dataset, training = (resolve_for_run(our_cfg, name) for name in (dataset_name, our_cfg.DATASETS.TRAIN[0]))
        return build_benchmark(our_cfg, dataset, training).evaluators

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
        """Return our optimiser, which clips the gradients of the full model before each step."""
        our_cfg = frozenseg_config(cfg)
        optimizer, clip = build_optimizer(our_cfg, model), build_gradient_clip(our_cfg)
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

        def clip_gradients(*_: Any) -> None:
            clip(parameters)

        optimizer.register_step_pre_hook(clip_gradients)
        return optimizer

    @classmethod
    def build_lr_scheduler(cls, cfg: CfgNode, optimizer: torch.optim.Optimizer) -> LambdaLR:
        """Return our learning rate schedule."""
        return LambdaLR(optimizer, build_lr_schedule(frozenseg_config(cfg)).factor)

    def build_hooks(self) -> list[HookBase]:
        """Return Detectron2's hooks with our periods; a period of 0 means only at the end."""
        hooks = super().build_hooks()
        for hook in hooks:
            if isinstance(hook, PeriodicWriter):
                hook._period = self.cfg.LOG_PERIOD or self.max_iter  # Detectron2 has no key for it, it is 20
            elif isinstance(hook, PeriodicCheckpointer):
                hook.period = self.cfg.SOLVER.CHECKPOINT_PERIOD or self.max_iter
        return hooks

    def resume_or_load(self, resume: bool = True) -> None:
        """Resume from the last checkpoint, with the images that follow it, or load MODEL.WEIGHTS of any format."""
        if resume and self.checkpointer.has_checkpoint():
            super().resume_or_load(resume=True)
            if isinstance(self._trainer.data_loader, CheckedLoader):  # a subclass may have another
                our_cfg, done = frozenseg_config(self.cfg), self.start_iter
                self._trainer.reset_data_loader(lambda: open_training(our_cfg).batches(done))
        elif self.cfg.MODEL.WEIGHTS:
            _load(_unwrapped(self.model), self.cfg)

    @classmethod
    def test(cls, cfg: CfgNode, model: nn.Module, evaluators: Any = None) -> dict[str, Any]:
        """Evaluate on each data set with its vocabulary and protocol; see :meth:`DefaultTrainer.test`."""
        segmenter: SegmentationModel = _unwrapped(model)
        evaluators = [evaluators] if isinstance(evaluators, DatasetEvaluator) else evaluators
        for name in cfg.DATASETS.TEST:
            _register_from_detectron2(name)
        our_cfg = frozenseg_config(cfg)
        trained_on: ResolvedDataset | None = getattr(segmenter, "trained_on", None)
        training = trained_on or resolve_for_run(our_cfg, our_cfg.DATASETS.TRAIN[0])
        datasets = [resolve_for_run(our_cfg, name) for name in dict.fromkeys(cfg.DATASETS.TEST)]
        configs = benchmark_configs(our_cfg, datasets)
        results: dict[str, Any] = OrderedDict()
        for dataset, protocol, evaluator in zip(datasets, configs, evaluators or [None] * len(datasets), strict=True):
            single = cfg.clone()
            single.defrost()
            copy_frozenseg_keys(single, protocol)
            single.DATASETS.TEST = (dataset.name,)
            if trained_on and evaluator is None:
                evaluator = [build_benchmark(protocol, dataset, training).evaluators]
            classes = vocabulary_and_seen(protocol, dataset, training)
            with segmenter.using(inference_settings(segmenter, protocol, *classes)):
                results[dataset.name] = super().test(single, augmented(segmenter, protocol), evaluator)
        return next(iter(results.values())) if len(results) == 1 else results


def start_detectron2(arguments: argparse.Namespace, opts: list[str]) -> int:
    """Run the command line of ``tools/train_net.py --engine detectron2``; return the exit code.

    Args:
        arguments: parsed command line.
        opts: its ``[KEY, VALUE, …]``.
    """
    register()
    cfg = detectron2_cfg()
    our_cfg = checked_config(cfg, arguments, opts)
    expected = read_expected(our_cfg.TEST.EXPECTED_RESULTS, our_cfg.DATASETS.TEST)
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
    """Train or evaluate in one of the processes."""
    setup_logging(cfg.OUTPUT_DIR, distributed.rank())
    register()
    default_setup(cfg, arguments)
    cfg.TEST.EXPECTED_RESULTS = []  # compared below: Detectron2 does so only after training and without names
    cfg.freeze()
    if arguments.eval_only:
        warn_of_keys_without_effect(frozenseg_config(cfg))
        results = FrozenSegTrainer.test(cfg, _trained_model(cfg, arguments.resume))
    else:
        trainer = FrozenSegTrainer(cfg)
        trainer.resume_or_load(resume=arguments.resume)
        trainer.train()
        results = trainer._last_eval_results
    check_results(expected, results if len(cfg.DATASETS.TEST) > 1 else dict.fromkeys(cfg.DATASETS.TEST, results))


def _trained_model(cfg: CfgNode, resume: bool) -> nn.Module:
    """Return a model with the weights of the last checkpoint, or of MODEL.WEIGHTS."""
    model = FrozenSegTrainer.build_model(cfg)
    checkpointer = DetectionCheckpointer(model, save_dir=cfg.OUTPUT_DIR)
    if resume and checkpointer.has_checkpoint():
        checkpointer.resume_or_load("", resume=True)
    elif cfg.MODEL.WEIGHTS:
        segmenter = _unwrapped(model)
        segmenter.trained_on = classes_of_weights(frozenseg_config(cfg), _load(segmenter, cfg))
    return model


def _build(cfg: CfgNode, name: str) -> nn.Module:
    our_cfg = frozenseg_config(cfg).clone()
    our_cfg.defrost()
    our_cfg.MODEL.META_ARCHITECTURE = name
    if not our_cfg.DATASETS.TRAIN:
        raise ConfigError("DATASETS.TRAIN is empty, expected the data set with the classes to train on.")
    for dataset in (*our_cfg.DATASETS.TRAIN, *our_cfg.DATASETS.TEST):
        _register_from_detectron2(dataset)
    base = META_ARCH.look_up(name)
    adapted: Any = type(name, (Detectron2Adapter, base), {"__doc__": base.__doc__, "__module__": __name__})
    training = resolve_for_run(our_cfg, our_cfg.DATASETS.TRAIN[0])
    model: MaskClassifier = adapted.from_config(our_cfg, training.vocabulary)
    model.set_frozen_precision(precision_named(our_cfg.MODEL.FROZEN_DTYPE))
    if our_cfg.DATASETS.TEST:
        model.set_vocabulary(
            *vocabulary_and_seen(our_cfg, resolve_for_run(our_cfg, our_cfg.DATASETS.TEST[0]), training)
        )
    return model


def _build_head(cfg: CfgNode, input_shape: dict[str, ShapeSpec], sam_channels: int | None) -> SemSegHead:
    our_cfg = frozenseg_config(cfg)
    if not (embed_dim := our_cfg.MODEL.CLIP.EMBED_DIM):
        raise ConfigError(
            "EMBED_DIM is 0, but a head that is built without CLIP cannot read it: set it to CLIP's width."
        )
    channels = tuple(input_shape[level].channels for level in STRIDES)
    return SemSegHead.from_config(our_cfg, channels=channels, embed_dim=embed_dim, sam_channels=sam_channels)


def _register_from_detectron2(name: str) -> None:
    """Register a data set that is only in Detectron2's catalogs in ours, with its class names as vocabulary."""
    if name in catalog.DatasetCatalog.list() or name not in DatasetCatalog:
        return
    catalog.DatasetCatalog.register(name, lambda: DatasetCatalog.get(name))
    catalog.MetadataCatalog.register(name, lambda: fields_from_detectron2(MetadataCatalog.get(name).as_dict()))


def _from_detectron2(element: dict[str, Any]) -> dict[str, Any]:
    """Return an element of Detectron2's batch as an element of ours."""
    converted = dict(element)
    if converted["image"].is_floating_point():  # images of DefaultPredictor
        converted["image"] = converted["image"].round().clamp(0, 255).to(torch.uint8)
    instances = converted.get("instances")
    if isinstance(instances, Instances):
        converted["instances"] = FrozenSegInstances(
            instances.image_size, gt_classes=instances.gt_classes, gt_masks=_masks_of(instances)
        )
    return converted


def _masks_of(instances: Instances) -> Tensor:
    """Return the ground-truth masks, which have one of Detectron2's types, as (n, H, W) bool."""
    if not instances.has("gt_masks"):
        if len(instances):
            raise DataError("A training batch has no gt_masks: set MODEL.MASK_ON to True for Detectron2's mapper.")
        return torch.zeros(0, *instances.image_size, dtype=torch.bool)  # Detectron2's mapper omits empty fields
    masks = instances.gt_masks
    if isinstance(masks, PolygonMasks):
        masks = BitMasks.from_polygon_masks(masks, *instances.image_size)
    tensor: Tensor = masks.tensor if isinstance(masks, BitMasks) else masks
    return tensor.bool()


def _to_detectron2(output: dict[str, Any]) -> dict[str, Any]:
    """Return an output of our model with Detectron2's ``Instances``."""
    if "instances" not in output:
        return output
    fields = dict(output["instances"].get_fields())
    boxes = Boxes(fields.pop("pred_boxes"))
    return {**output, "instances": Instances(output["instances"].image_size, pred_boxes=boxes, **fields)}


def _unwrapped(model: nn.Module) -> Any:
    """Return the model inside DistributedDataParallel, or the model itself."""
    return getattr(model, "module", model)


def _load(model: SegmentationModel, cfg: CfgNode) -> dict[str, Any]:
    """Load MODEL.WEIGHTS, and return the content of the file."""
    content = read_checkpoint(cfg.MODEL.WEIGHTS)
    load_checkpoint(model, content, cfg.MODEL.WEIGHTS, allow_partial=cfg.MODEL.ALLOW_PARTIAL_WEIGHTS)
    return content
