"""Experiments that are not installed with the package: parity, pretraining, ablation, timing and the fault drill.

The scripts in ``tools/`` are their entry points. ``lab`` imports the library; the library never imports ``lab``.
"""

from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]  # the folder tools/, for experiments that start scripts
REPOSITORY = SCRIPTS.parent
