"""Smallest models that run all real code: FrozenSeg and FC-CLIP in a second on a CPU."""

from pathlib import Path
from typing import Any

import torch

from frozenseg.config import CfgNode, load_config
from frozenseg.structures.instances import Instances
from frozenseg.vocabulary import Vocabulary

ROOT = Path(__file__).parents[1]
TRAINING = Vocabulary.from_strings(["cat,kitten", "dog", "sky"], isthing=[True, True, False])
TEST = Vocabulary.from_strings(["kitten", "boat", "grass", "sky,cloud"], isthing=[True, True, False, False])
UNTRAINED = (  # what a model knows is no concern of most tests
    "MODEL.SAM_WEIGHTS", "random",
    "MODEL.CLIP.CLIP_MODEL_NAME", "toy_convnext",
    "MODEL.CLIP.CLIP_PRETRAINED_WEIGHTS", "random",
    "MODEL.CLIP.GEOMETRIC_ENSEMBLE_ALPHA", 0.0,  # the untrained CLIP recognises no class
    "MODEL.CLIP.GEOMETRIC_ENSEMBLE_BETA", 0.0,
    "INPUT.IMAGE_SIZE", 128, "INPUT.MIN_SIZE_TEST", 128, "INPUT.MAX_SIZE_TEST", 256,
)  # fmt: skip
NARROW = (
    *UNTRAINED,
    "MODEL.SEM_SEG_HEAD.TRANSFORMER_ENC_LAYERS", 1,
    "MODEL.MASK_FORMER.NUM_OBJECT_QUERIES", 6,
    "MODEL.MASK_FORMER.TRAIN_NUM_POINTS", 64,
)  # fmt: skip


def tiny_config(meta_arch: str = "FrozenSeg", *options: Any) -> CfgNode:
    """Return the ToyWorld config, narrower still."""
    name = {"FrozenSeg": "frozenseg_tiny", "FCCLIP": "fcclip_tiny"}[meta_arch]
    return load_config(ROOT / f"configs/toyworld/{name}.yaml", [*NARROW, *options])


def training_batch(sizes: tuple[tuple[int, int], ...] = ((64, 64), (64, 64)), seed: int = 0) -> list[dict[str, Any]]:
    """Return images of noise with two targets each: the left half is class 0, the right half class 2."""
    generator = torch.Generator().manual_seed(seed)
    batch = []
    for height, width in sizes:
        left = torch.zeros(height, width, dtype=torch.bool)
        left[:, : width // 2] = True
        batch.append(
            {
                "image": torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8),
                "height": height,
                "width": width,
                "instances": Instances(
                    (height, width), gt_classes=torch.tensor([0, 2]), gt_masks=torch.stack([left, ~left])
                ),
            }
        )
    return batch
