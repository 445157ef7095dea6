"""The parity script: tables, exit codes, and errors of single cases."""

import json
import shutil
from pathlib import Path

import pytest

from lab.parity.components.component import Component
from lab.parity.goldens import read_golden
from lab.parity.run import COMPONENT_CHECKS
from tests.lab.parity.record import FOLDER
from tests.lab.parity.test_fill import REFERENCE
from tools.parity import main

QUICK = (
    "sine_pos",
    "msdeformattn",
    "mask_pooling",
    "classification_logits",
    "feature_injector",
    "criterion",
    "inference",
)


def test_all_cases_of_a_folder(capsys: pytest.CaptureFixture) -> None:
    assert main(["--goldens", str(FOLDER), "--case", "tiny_frozenseg", "tiny_training"]) == 0
    printed = capsys.readouterr().out
    assert "pixel/sam_out" in printed
    assert "losses seeded" in printed
    assert "Every stage of every case agrees." in printed


def test_a_difference_is_named_and_is_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    copy(tmp_path)
    metadata = json.loads((tmp_path / "tiny_frozenseg.json").read_text())
    metadata["config"]["CLIP"]["GEOMETRIC_ENSEMBLE_BETA"] = 0.7
    (tmp_path / "tiny_frozenseg.json").write_text(json.dumps(metadata))
    assert main(["--goldens", str(tmp_path), "--quiet"]) == 1
    printed = capsys.readouterr().out
    assert "First difference: final_cls0 of tiny_frozenseg" in printed
    assert "clip/res2" not in printed


def test_a_damaged_case_fails_and_the_others_go_on(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    copy(tmp_path)
    copy(tmp_path, "tiny_fcclip_resnet")
    (tmp_path / "tiny_fcclip_resnet.npz").write_bytes(b"")
    assert main(["--goldens", str(tmp_path), "--quiet"]) == 1
    printed = capsys.readouterr()
    assert "error: tiny_fcclip_resnet: The golden" in printed.err
    assert "tiny_frozenseg: agrees" in printed.out


def test_a_golden_of_another_form_fails_and_the_others_go_on(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    copy(tmp_path)
    (tmp_path / "another.json").write_text("[1, 2]")
    shutil.copy(FOLDER / "tiny_frozenseg.npz", tmp_path / "another.npz")
    (tmp_path / "lonely.json").write_text("{}")
    assert main(["--goldens", str(tmp_path), "--quiet"]) == 1
    printed = capsys.readouterr()
    assert "error: another: TypeError" in printed.err
    assert "error: lonely: The golden" in printed.err
    assert "tiny_frozenseg: agrees" in printed.out


def test_no_goldens(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["--goldens", str(tmp_path / "nowhere")]) == 2
    assert "There are no goldens in" in capsys.readouterr().err


def test_recorded_goldens_agree_with_the_checkout_that_wrote_them(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = ["--goldens", str(FOLDER), "--case", "tiny_fcclip_resnet", "tiny_training"]
    assert main([*folder, "--record", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.glob("*.npz")} == {"tiny_fcclip_resnet.npz", "tiny_training.npz"}
    assert main(["--goldens", str(tmp_path), "--quiet"]) == 0
    assert "Every stage of every case agrees." in capsys.readouterr().out


def test_errors_of_a_lower_precision_are_printed_by_stage(capsys: pytest.CaptureFixture) -> None:
    assert main(["--goldens", str(FOLDER), "--case", "tiny_fcclip_resnet", "--precision", "bfloat16"]) == 0
    lines = capsys.readouterr().out.splitlines()
    relative = {line.split()[1]: float(line.split()[-1]) for line in lines if line.startswith("tiny_fcclip_resnet  ")}
    assert next(iter(relative)) == "trace/clip/stem"  # in the order of the computation
    assert 1e-3 < relative["trace/clip/res5"] < 0.2  # bfloat16 has 8 bits
    assert relative["text_classifier"] < 1e-4  # encoded in float32
    assert "largest relative error" in lines[-2]


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the goldens in ../shared/parity are not here")
@pytest.mark.parametrize("name", QUICK)
def test_quick_parts_agree_with_the_reference(name: str) -> None:
    rows = list(COMPONENT_CHECKS[name](Component(read_golden(REFERENCE / "components.json"), name)))
    assert rows
    assert [row.stage for row in rows if not row.passed] == []


def copy(folder: Path, name: str = "tiny_frozenseg") -> None:
    for suffix in (".json", ".npz"):
        shutil.copy(FOLDER / f"{name}{suffix}", folder)
