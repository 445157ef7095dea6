"""Every kind of input as pending images: names, stems, order, and messages for what is no input."""

import errno
import io
import os
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.inference.data_split import split_images
from frozenseg.inference.run_folder import RunFolder
from frozenseg.inference.sources.distinct import distinct_file_names
from frozenseg.inference.sources.files import NamedFile
from frozenseg.inference.sources.image_list import image_list, pending_images
from frozenseg.inference.sources.standard_input import read_standard_input


def save(path: Path, colour: tuple[int, int, int] = (255, 0, 0)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), colour).save(path)
    return path


def names(*inputs: Any) -> list[str]:
    return [image.name for image in image_list(inputs)]


def test_a_folder_is_read_with_its_subfolders_and_sorted(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/c.png", "a/b/d.PNG", ".hidden/e.png", "a/.f.png", "masks/.frozenseg/run.png", "g.txt"):
        save(tmp_path / name.replace(".txt", ".png")).rename(tmp_path / name)
    save(tmp_path / "masks/drawing.png")
    images = list(image_list([tmp_path]))
    assert [image.name for image in images] == ["a/b/d.PNG", "a/c.png", "b.jpg"]
    assert [image.stem for image in images] == ["a/b/d", "a/c", "b"]
    assert images[1].path == tmp_path / "a/c.png"
    assert images[1].decode().size == (8, 6)


def test_stems_that_two_names_share_keep_their_ending(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "A.bmp", "b.png"):
        save(tmp_path / name)
    assert [image.stem for image in image_list([tmp_path])] == ["A.bmp", "a.jpg", "a.png", "b"]


def test_files_of_one_name_have_their_folder_in_it(tmp_path: Path) -> None:
    paths = [save(tmp_path / folder / "a.png") for folder in ("x", "y", "z/y")]
    assert names(*paths) == ["x/a.png", "y/a.png", "y/a_2.png"]
    assert names(tmp_path / "x", tmp_path / "y") == ["x/a.png", "y/a.png"]
    assert names(paths[0], paths[0], tmp_path / "x") == ["a.png"]


def test_patterns_are_named_below_their_fixed_part(tmp_path: Path) -> None:
    for name in ("in/a/1.png", "in/b/2.png", "in/b/3.jpg"):
        save(tmp_path / name)
    assert names(f"{tmp_path}/in/*/*.png") == ["a/1.png", "b/2.png"]
    assert names(f"{tmp_path}/in/**/*.jpg") == ["b/3.jpg"]
    assert names(f"{tmp_path}/in/*") == ["a/1.png", "b/2.png", "b/3.jpg"]


def test_names_stay_below_the_output_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("in/sub/a.png", "photo.png"):
        save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert names("in/*/../../photo.png") == ["photo.png"]
    addresses = ["http://host/.", "http://host/%2e%2e", "http://host/a%00b.png", "http://host/a/..%2f..%2fb.png"]
    assert names(*addresses) == ["web/image", "web/image_2", "a_b.png", "b.png"]
    files = [NamedFile(Path(folder, "photo.png"), "photo.png", Path(folder)) for folder in ("/", "in")]
    assert distinct_file_names(files) == ["photo.png", "in/photo.png"]


@pytest.mark.parametrize(("closed", "refused"), [("in/sub/.frozenseg", None), ("in/sub/a.png", "in/sub")])
def test_folders_without_permission_are_one_sentence(
    closed: str, refused: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "in/sub/a.png")
    monkeypatch.chdir(tmp_path)
    original = os.stat

    def stat(path: Any, **options: Any) -> os.stat_result:
        if path == Path(closed):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return original(path, **options)

    monkeypatch.setattr("os.stat", stat)  # a test that runs as root has all permissions
    if refused is None:
        assert names("in") == ["sub/a.png"]
    else:
        with pytest.raises(DataError, match=rf"The folder {refused} cannot be read \(Permission denied\)"):
            image_list(["in"])


def test_a_pattern_of_a_list_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "work/in/a.png")
    (tmp_path / "list.txt").write_text("in/*.png\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "work")
    assert names(tmp_path / "list.txt") == ["a.png"]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"list.txt, line 1: No file matches the pattern"):
        image_list([tmp_path / "list.txt"])


@pytest.mark.parametrize("line", ["x" * 5000, "~nobody-of-this-name/a.png"])
def test_impossible_lines_of_a_list(line: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match="list.txt, line 1: the image .* does not exist"):
        image_list([tmp_path / "list.txt"])


def test_a_list_file_names_files_beside_it_and_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "lists/sub/a.png")
    save(tmp_path / "work/b.png")
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "lists/list.txt").write_text(f"# images\nsub/a.png\n\nb.png\n{tmp_path}/work/b.png\n", encoding="utf-8")
    assert names(tmp_path / "lists/list.txt") == ["sub/a.png", "b.png"]
    (tmp_path / "lists/list.txt").write_text("sub/a.png\nsub/none.png\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"list.txt, line 2: the image 'sub/none.png' does not exist"):
        image_list([tmp_path / "lists/list.txt"])


def test_values_in_memory_are_numbered() -> None:
    pixels = np.full((4, 5, 3), 7, np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG")
    values = [pixels, torch.from_numpy(pixels).permute(2, 0, 1), Image.fromarray(pixels), encoded.getvalue()]
    images = list(image_list([*values, np.stack([pixels, pixels])]))
    assert [image.name for image in images] == [f"image_{number:06d}" for number in range(1, 7)]
    assert {np.asarray(image.decode()).tobytes() for image in images} == {pixels.tobytes()}


def test_an_iterator_is_read_while_it_is_used(tmp_path: Path) -> None:
    path, read = save(tmp_path / "a.png"), []

    def values() -> Any:
        for value in (path, np.zeros((4, 5, 3), np.uint8), path):
            read.append(value)
            yield value

    images = iter(pending_images(values()))
    assert next(images).name == "a.png"
    assert len(read) == 1
    assert [(image.name, image.stem) for image in images] == [("image_000002", "image_000002"), ("a_2.png", "a_2")]


def test_standard_input_is_one_image() -> None:
    encoded = io.BytesIO()
    Image.new("RGB", (3, 2)).save(encoded, "PNG")
    image = read_standard_input(io.BytesIO(encoded.getvalue()))
    assert (image.name, image.decode().size) == ("stdin", (3, 2))
    with pytest.raises(DataError, match="The input '-' is empty"):
        read_standard_input(io.BytesIO(b""))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("none.jpg", "The input none.jpg does not exist"),
        ("none/*.jpg", "No file matches the pattern none/\\*.jpg"),
        ("none.txt", "The list of images none.txt does not exist"),
        ("empty", "The folder empty has no image"),
        ("", "is no path"),
        ("a\0b", "is no path"),
        ("x" * 5000, "does not exist"),
        ("x" * 5000 + ".txt", "cannot be read"),
        ("~nobody-of-this-name/a.jpg", "does not exist"),
        ("http://[host/a.jpg", "expected http"),
        ("ftp://host/a.jpg", "expected http"),
        ("https://", "expected http"),
        ("s3://bucket/a.jpg", "expected http"),
    ],
)
def test_an_input_that_does_not_exist(
    value: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        image_list([value])


def test_no_input_at_all() -> None:
    with pytest.raises(DataError, match="No input: name an image"):
        image_list([])


def test_a_file_that_changes_has_another_version(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png")
    [before] = image_list([path])
    save(path, (0, 255, 0))
    [after] = image_list([path])
    assert before.version != after.version


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux only")
def test_names_in_an_unknown_encoding(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png").rename(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")))
    [image] = image_list([tmp_path])
    assert image.decode().size == (8, 6)
    folder = RunFolder(tmp_path / "out")
    folder.save(image.name, image.version, {"value": 1})
    assert folder.record(image.name, image.version)["name"] == path.name
    assert split_images([image.name, "b.png"], 0.5)


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    for name in ("photos/a.png", "photos/sub/b.png", "elsewhere/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3)).save(tmp_path / name)
    (tmp_path / "photos/again").symlink_to("sub", target_is_directory=True)
    (tmp_path / "photos/loop").symlink_to(tmp_path / "photos", target_is_directory=True)
    (tmp_path / "photos/more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert names(str(tmp_path / "photos")) == ["a.png", "more/c.png", "sub/b.png"]


def test_pipes_and_sockets_are_no_images(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.new("RGB", (4, 3)).save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "s.jpg"))
        assert names(str(tmp_path)) == ["a.png"]
        for name, kind in (("pipe.png", "a named pipe"), ("s.jpg", "a socket")):
            assert f"{tmp_path / name} is {kind}: left out." in caplog.text
            with pytest.raises(DataError, match=f"{name} is {kind}, expected a file: pass the bytes of an image by"):
                names(str(tmp_path / name))
    with pytest.raises(DataError, match="/dev/null is a device"):
        names("/dev/null")
