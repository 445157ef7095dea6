"""Citing: README's BibTeX is part of docs/references.bib, and CITATION.cff has this version and the same papers."""

import re

import yaml

import frozenseg
from tests.tiny import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCES = (ROOT / "docs/references.bib").read_text(encoding="utf-8")


def test_the_bibtex_of_readme_is_that_of_the_references() -> None:
    [block] = re.findall(r"^```bibtex\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    assert REFERENCES.startswith(block)
    keys = re.findall(r"^@\w+\{(\w+),$", REFERENCES, flags=re.MULTILINE)
    assert {"chen2024frozenseg", "yu2023fcclip", "kormushev2026ovrcoat"} == set(
        re.findall(r"^@\w+\{(\w+)", block, re.M)
    )
    assert len(keys) == len(set(keys)) == 7
    assert REFERENCES.count("{") == REFERENCES.count("}")


def test_the_citation_file_has_this_version_and_the_same_papers() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == frozenseg.__version__
    titles = re.findall(r"^  title += \{(.*)\},$", README, flags=re.MULTILINE)
    assert [paper["title"] for paper in citation["references"]] == [re.sub("[{}]", "", title) for title in titles]
