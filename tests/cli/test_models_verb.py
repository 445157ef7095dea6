"""The verb models: the table of weights, descriptions, paths, downloads and consent."""

import json
from pathlib import Path
from typing import Any

import pytest

from frozenseg.cli.main import main
from frozenseg.config import find_config
from frozenseg.downloads.remote_file import RemoteFile
from frozenseg.modeling.model_zoo import weights
from frozenseg.modeling.model_zoo.weights import zoo_models, zoo_weights

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FROZENSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("FROZENSEG_ACCEPT_NO_LICENCE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    urls = []

    def download(remote: RemoteFile) -> Path:
        urls.append(remote.url)
        remote.path.parent.mkdir(parents=True, exist_ok=True)
        remote.path.write_bytes(b"weights")
        return remote.path

    monkeypatch.setattr(weights, "download_once", download)
    return urls


def answer(capsys: Output, *line: str) -> Any:
    assert main(["models", *line, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys: Output, *line: str) -> str:
    assert main(["models", *line]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    return message


def test_all_weights_are_listed_with_their_licence(capsys: Output, cache: Path) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "name"
    assert any("frozenseg_r50x64" in line and "none published" in line and line.endswith("no") for line in lines)
    assert any(line.startswith("toyworld ") and line.endswith("in the package") for line in lines)
    assert f"Cache: {cache}" in lines
    assert "ask the authors before you pass the weights on" in lines[-1]


def test_the_table_is_complete(capsys: Output) -> None:
    entries = {entry["name"]: entry for entry in answer(capsys)}
    assert len(entries) == len(zoo_weights()) == 16
    assert {name for name, entry in entries.items() if entry["kind"] == "model"} == {
        "toyworld", *(model.name for model in zoo_models())
    }  # fmt: skip
    for entry in entries.values():
        assert entry["licence"]
        assert entry["trained_on"]
        assert (entry["url"] is None) == entry["redistributed"] == (entry["file"] is not None)
        assert entry["architecture"] or find_config(entry["config"]).is_file()
        assert all(find_config(command.split()[3]).is_file() for command in entry["checks"])
    assert entries["mobile_sam"]["sha256"] == "6dbb9052"
    assert [entries[f"sam_vit_{size}"]["sha256"] for size in "blh"] == ["01ec64", "0b3195", "4b8939"]
    assert entries["fcclip_r50"]["scores"]["ade20k"] == {"PQ": 17.9, "AP": 9.5, "mIoU": 23.3}
    assert entries["frozenseg_convnext_large"]["scores"]["a847_sam_masks"]["mIoU"] == 14.8


def test_files_of_the_cache_are_distinct() -> None:
    files = [entry.file for entry in zoo_weights()]
    assert len(set(files)) == len(files)
    assert all((weights.PACKAGE / entry.file).is_file() for entry in zoo_weights() if not entry.url)


def test_a_description_has_address_scores_and_checks(capsys: Output, cache: Path) -> None:
    assert main(["models", "show", "frozenseg_r50x64", "toyworld"]) == 0
    text = capsys.readouterr().out
    assert "you download the weights from the authors; they are not redistributed here" in text
    assert f"not on this machine; goes to {cache}/weights/frozenseg_r50x64.pth" in text
    assert "COCO                        PQ 55.7  AP 47.4  mIoU 65.4" in text
    assert "frozenseg eval --config published/frozenseg_r50x64/ade20k --weights frozenseg_r50x64" in text
    assert "| zero-shot scenes     | 43.0" in text  # the card in the package


def test_a_download_prints_its_path(capsys: Output, downloads: list[str], cache: Path) -> None:
    assert main(["models", "download", "mobile_sam"]) == 0
    assert capsys.readouterr().out == f"{cache}/weights/mobile_sam.pt\n"
    assert answer(capsys, "path", "mobile_sam", "toyworld")[0]["file"] == f"{cache}/weights/mobile_sam.pt"
    assert [entry["size"] for entry in answer(capsys, "list", "mobile_sam")] == [7]
    main(["models", "download", "mobile_sam"])
    assert len(downloads) == 1


def test_weights_without_a_licence_need_consent(
    capsys: Output, downloads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    message = refusal(capsys, "download", "frozenseg_r50x64")
    assert "run 'frozenseg models download frozenseg_r50x64 --accept-no-licence'" in message
    assert "https://drive.google.com/file/d/1wiPKPczTXrH1cPrDbf-l9NGdOkMUUikw/view" in message
    assert downloads == []
    assert main(["models", "download", "frozenseg_r50x64", "--accept-no-licence"]) == 0
    monkeypatch.setenv("FROZENSEG_ACCEPT_NO_LICENCE", "1")
    assert main(["models", "download", "frozenseg_convnext_large"]) == 0
    assert len(downloads) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("show", "fcclip_r5"), "There are no weights named 'fcclip_r5'. Did you mean 'fcclip_r50'"),
        (("show",), "`frozenseg models show` received no name, expected: frozenseg models show NAME"),
        (("path", "sam_vit_b"), "sam_vit_b is not on this machine: run 'frozenseg models download sam_vit_b'"),
    ],
)
def test_mistakes_are_one_sentence(capsys: Output, line: tuple[str, ...], message: str) -> None:
    assert message in refusal(capsys, *line)
