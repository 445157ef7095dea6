"""``frozenseg segment --runtime onnx``: the files of a run, without PyTorch's model."""

import json
from pathlib import Path

import pytest
from PIL import Image

from frozenseg.cli.main import main
from frozenseg.cli.model_choice import ModelChoice
from frozenseg.toyworld.samples import sample_scene
from tests.export.conftest import toyworld_segmenter

WORDS = ["--words", "toyworld"]


def test_images_are_segmented_without_pytorch_s_model(
    exported: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    scene = sample_scene(4, 96)
    scene.save("scene.png")
    expected = toyworld_segmenter()(scene, "toyworld", sam_masks=False)
    monkeypatch.setattr(ModelChoice, "build", lambda _: pytest.fail("the model is built"))
    command = ["segment", "scene.png", "--runtime", "onnx", "--weights", str(exported), "--format", "jsonl", "png"]
    for words in ([], WORDS):  # those of the folder, and the same by name
        assert main([*command, *words, "--output", f"out{len(words)}"]) == 0
        assert "1 image segmented" in capsys.readouterr().out
    first, second = (Path(f"out{count}/segments.jsonl").read_text(encoding="utf-8") for count in (0, 2))
    assert first == second
    [line] = [json.loads(line) for line in first.splitlines()]
    assert [each["name"] for each in line["segments"]] == [each.name for each in expected.segments]
    with Image.open(next(Path("out0/label_maps").rglob("*.png"))) as label_map:
        assert label_map.size == scene.size
