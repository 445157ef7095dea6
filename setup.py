"""Packages of the distribution; all metadata is in pyproject.toml.

This file exists for one mapping: the folder ``configs`` of the repository is installed as ``frozenseg/configs``.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["frozenseg", "frozenseg.*"]), "frozenseg.configs"],
    package_dir={"frozenseg.configs": "configs"},
)
