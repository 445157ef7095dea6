"""Programs of torch.export: saved, checked, and run by a process that does not import this package."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from frozenseg.errors import ConfigError
from frozenseg.export.exporter import export_segmenter
from frozenseg.export.graphs import ImageGraph, TextGraph
from frozenseg.export.options import ExportOptions
from frozenseg.export.programs import GraphSize, example_inputs, image_program, text_program
from frozenseg.export.runtime_files import MANIFEST, MANIFEST_HASH
from frozenseg.toyworld.samples import sample_scene
from tests.export.conftest import narrow_segmenter

SIZE = (64, 96)
ALONE = """
import sys, torch
image, text = (torch.export.load(f"{sys.argv[1]}/{name}.pt2").module() for name in ("image", "text"))
tokens = torch.tensor([[49406, 2368, 49407, 0], [49406, 320, 2368, 49407]])
embeddings = text(tokens, torch.tensor([2, 3]))["embeddings"]
rows = torch.cat([embeddings, embeddings[:1]])
outputs = image(
    torch.zeros(1, 3, 64, 96, dtype=torch.uint8), torch.tensor([[60, 90]]), rows, torch.tensor([0, 1, 2]),
    torch.tensor([True, False]),
)
print(*(tuple(value.shape) for value in outputs.values()), "frozenseg" in sys.modules, sep=";")
"""


@pytest.fixture(scope="module")
def program_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs") / "exported"
    options = ExportOptions("torch-export", size=SIZE)
    report = export_segmenter(narrow_segmenter("FCCLIP"), folder, options, [sample_scene(4, 96)])
    assert report.passed, report.table()
    ties = ["masks with ties", "queries with ties (share)"]
    assert [row.stage for row in report.rows] == ["class_probabilities", "masks", "semantic_probabilities", *ties]
    return folder


def test_a_process_without_this_package_runs_the_program(program_folder: Path) -> None:
    command = [sys.executable, "-c", ALONE, str(program_folder)]
    done = subprocess.run(command, cwd=program_folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(1, 6, 3);(1, 6, 16, 24);(1, 6, 3);False"


def test_bfloat16_encoders_stay_close_to_float32() -> None:
    narrow = narrow_segmenter("FCCLIP").model
    size, graph = GraphSize(SIZE), ImageGraph(narrow)
    inputs = example_inputs(size, narrow.backbone.embed_dim)
    with torch.no_grad():
        expected = graph(*inputs)["masks"]
        narrow.set_frozen_precision(torch.bfloat16)
        lowered = graph(*inputs)["masks"]
        actual = image_program(graph, size).module()(*inputs)["masks"]
    assert torch.allclose(actual, lowered, atol=1e-5)
    difference = float((actual - expected).abs().max() / expected.std())
    assert 1e-4 < difference < 0.3


def test_the_manifest_states_size_versions_and_check(program_folder: Path) -> None:
    manifest = json.loads((program_folder / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["kind"], manifest["size"], manifest["graphs"]["opset"]) == ("torch-export", [*SIZE], None)
    assert set(manifest["versions"]) >= {"frozenseg", "torch", "python"}
    assert set(manifest["model"]["hashes"]) == {"backbone", "trained"}
    assert manifest["checks"]["passed"] is True
    assert set(manifest["files"]) == {path.name for path in program_folder.iterdir()} - {MANIFEST, MANIFEST_HASH}


@pytest.mark.skipif(
    "TEST_AOTINDUCTOR" not in os.environ or shutil.which("g++") is None,
    reason="needs a C++ compiler, and half a minute of it: set TEST_AOTINDUCTOR",
)
def test_aotinductor_compiles_the_text_graph(tmp_path: Path) -> None:
    from torch._inductor import aoti_compile_and_package, aoti_load_package

    graph = TextGraph(narrow_segmenter("FCCLIP").model.backbone)
    aoti_compile_and_package(text_program(graph), package_path=str(tmp_path / "text.pt2"))
    tokens, ends = torch.tensor([[49406, 320, 2368, 49407]]), torch.tensor([3])
    compiled = aoti_load_package(str(tmp_path / "text.pt2"))(tokens, ends)
    assert torch.allclose(compiled["embeddings"], graph(tokens, ends)["embeddings"], atol=1e-5)


def test_a_model_in_a_lower_precision_is_refused(tmp_path: Path) -> None:
    segmenter = narrow_segmenter("FCCLIP")
    segmenter.model.set_frozen_precision(torch.bfloat16)
    with pytest.raises(ConfigError, match="has a MODEL.FROZEN_DTYPE: leave it float32, and use --precision or --int8"):
        export_segmenter(segmenter, tmp_path / "out", ExportOptions("torch-export"))
    assert not (tmp_path / "out").exists()
