"""Packaging: what FrozenSeg needs, and what it needs for more."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (ROOT / "frozenseg/__init__.py").read_text("utf-8"), re.MULTILINE)[1]

# The eight libraries that the project stands on, and SciPy for the Hungarian assignment. What they bring themselves
# (numpy, pillow, tqdm, PyYAML, safetensors, tabulate) is used too.
REQUIRED = [
    "torch>=2.6",
    "torchvision>=0.21",
    "open_clip_torch>=3.0",
    "segment-anything>=1.0",
    "timm>=1.0",
    "fvcore>=0.1.5",
    "iopath>=0.1.9",
    "pycocotools>=2.0.7",
    "scipy>=1.10",
]
DEMO = ["matplotlib>=3.7"]
TRAIN = ["tensorboard>=2.14"]
WANDB = ["wandb>=0.17"]
EVAL = ["cityscapesscripts>=2.2", "lvis>=0.5.3", "faster-coco-eval>=1.7"]
SLURM = ["submitit>=1.5"]

setup(
    name="frozenseg",
    version=VERSION,
    description="Open-vocabulary segmentation with frozen CLIP and frozen SAM",
    long_description=(ROOT / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["frozenseg", "frozenseg.*"]),
    package_data={
        "frozenseg": [
            "py.typed",
            "data/*.tsv",
            "data/categories/*.tsv",
            "evaluation/*.tsv",
            "modeling/clip/model_configs/*.json",
            "toyworld/weights/*",
        ]
    },
    install_requires=REQUIRED,
    extras_require={
        "demo": DEMO,
        "train": TRAIN,
        "wandb": WANDB,
        "eval": EVAL,
        "slurm": SLURM,
        "detectron2": [],  # not on PyPI: INSTALL.md says where it comes from
        "dev": [
            *("pytest>=8", "pytest-xdist>=3.6", "hypothesis>=6", "ruff>=0.17,<0.18", "mypy>=2,<3", "codespell>=2.2"),
            *(*DEMO, *TRAIN, *EVAL, *SLURM),
        ],
    },
)
