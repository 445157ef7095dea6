"""The weights that come with the package: ToyWorld's CLIP, its SAM, and a FrozenSeg trained with both."""

from pathlib import Path

TOYWORLD = "toyworld"  # what keys and flags call them
CLIP_NAME, SAM_NAME = "toyworld_convnext", "vit_toy"  # the architectures of the encoders
FOLDER = Path(__file__).parent / "weights"
CLIP, SAM, FROZENSEG = (FOLDER / f"{name}.safetensors" for name in ("clip", "sam", "frozenseg_tiny"))
