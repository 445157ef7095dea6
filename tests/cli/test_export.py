"""The verb export and ``segment --runtime onnx``: mistakes in one sentence, and the exit codes."""

from pathlib import Path

import pytest

from frozenseg.cli.exported_model import ExportedModel
from frozenseg.cli.main import main
from frozenseg.cli.model_choice import ModelChoice
from frozenseg.export.check import CheckReport, StageDifference
from frozenseg.export.options import ExportOptions
from frozenseg.toyworld.samples import sample_scene


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--size", "100", "128"], "--size 100 128: expected positive multiples of 32."),
        (["--precision", "bf16"], "--precision bf16 with --format onnx: onnxruntime has no bfloat16 convolutions."),
        (["--int8", "--precision", "fp16"], "--int8 with --precision fp16: the integers are scaled in fp32; use one."),
        (["--output", "full"], "--output full exists and is no exported model: choose another folder."),
        (["--output", "earlier"], "--output earlier has an exported model: choose another folder, or add --overwrite."),
        (["--output", "site", "--overwrite"], "--output site exists and is no exported model: choose another folder."),
        (["--output", "mixed", "--overwrite"], "mixed has an exported model and notes.txt, which would be deleted"),
        (["--check", "none.png"], "none.png"),
        (["--format", "tflite"], "invalid choice: 'tflite'"),
    ],
)
def test_mistakes_are_named_before_the_model_is_built(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelChoice, "build", lambda _: pytest.fail("the model is built"))
    manifest = '{"format": "frozenseg-export", "files": {}}'
    for name, file, text in (
        ("full", "notes.txt", ""),
        ("earlier", "manifest.json", manifest),
        ("site", "manifest.json", '{"name": "site"}'),
        ("mixed", "manifest.json", manifest),
        ("mixed", "notes.txt", ""),
    ):
        Path(name).mkdir(exist_ok=True)
        Path(name, file).write_text(text, encoding="utf-8")
    try:
        code = main(["export", "--output", "out", *flags])
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert message in capsys.readouterr().err


def test_missing_packages_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name.startswith("onnx") else name)
    with pytest.raises(
        ValueError, match=r"needs onnx, onnxscript, onnx_ir, onnxruntime, not installed: pip install 'frozens"
    ):
        ExportOptions().require_packages()


@pytest.mark.parametrize("passed", [True, False])
def test_the_table_and_the_exit_code_follow_the_check(
    passed: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = CheckReport((StageDifference("res2", 2e-6, 1e-7, 1e-4, passed),), 0.4, 0.2)
    monkeypatch.setattr("frozenseg.export.exporter.export_segmenter", lambda *_: report)
    monkeypatch.setattr(ModelChoice, "build", lambda _: None)
    sample_scene(4, 64).save("scene.png")
    assert main(["export", "--output", "out", "--check", "scene.png"]) == (0 if passed else 1)
    captured = capsys.readouterr().out
    assert f"2.0e-06  1.0e-07      1.0e-04  {'agrees' if passed else 'DIFFERS'}" in captured
    assert "model 0.400 s, file 0.200 s, ratio 0.50" in captured


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--runtime onnx needs --weights DIR: a folder that `frozenseg export` has written."),
        (["--weights", "toyworld"], "--weights toyworld/manifest.json cannot be read (FileNotFoundError)"),
        (["--weights", "x", "--sam-masks"], "--sam-masks has no effect with --runtime onnx"),
        (["--weights", "x", "--set", "SEED", "1"], "--set has no effect with --runtime onnx"),
        (["--weights", "x", "--device", "tpu"], "--device 'tpu' with --runtime onnx: expected cpu, cuda or auto."),
        (["--weights", "x", "--words", "auto"], "--words auto needs --runtime torch"),
    ],
)
def test_flags_without_effect_on_files_are_refused(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sample_scene(4, 64).save("scene.png")
    assert main(["segment", "scene.png", "--runtime", "onnx", *flags]) == 2
    assert message in capsys.readouterr().err


def test_an_export_without_a_vocabulary_needs_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExportedModel, "read", lambda _: {"vocabulary": None})
    with pytest.raises(ValueError, match="x was exported without --words; give them with --words"):
        ExportedModel(Path("x"), ()).stored_classes()
