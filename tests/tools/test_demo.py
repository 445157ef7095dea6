"""The demo's refusals, before any model is built, and one whole run."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.inference.sources.sample_scenes import SCENE_SIZE
from frozenseg.modeling.build import build_model
from frozenseg.modeling.load_weights import trained_tensors
from frozenseg.toyworld.categories import all_categories
from tests.tiny import NARROW, ROOT, TRAINING, tiny_config
from tools.demo import SCENES, main, parse_arguments, vocabulary_of


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    torch.manual_seed(0)
    model = build_model(tiny_config("FCCLIP"), TRAINING)
    torch.save({"model": trained_tensors(model), "frozen": model.frozen_hashes()}, tmp_path / "model.pth")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    config = str(ROOT / "configs/toyworld/fcclip_tiny.yaml")
    return ["--config-file", config, "--weights", str(tmp_path / "model.pth"), "--output", str(tmp_path / "masks")]


def options() -> list[str]:
    return [str(option) for option in NARROW]


def test_drawings_of_every_kind(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = ["--input", str(tmp_path / "broken.png"), str(tmp_path / "picture.png"), "--skip-bad"]
    words = ["--vocabulary", "cat,kitten; sky", "--stuff", "sky"]
    assert main([*words, *arguments, *options(), *pictures]) == 0  # flags may follow KEY VALUE
    assert "1 image segmented" in capsys.readouterr().out
    names = sorted(path.name for path in (tmp_path / "masks").iterdir())
    assert names == ["picture_instance.png", "picture_panoptic.png", "picture_semantic.png"]


def test_with_sam_masks_both_are_shown(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    config = ["--config-file", str(ROOT / "configs/toyworld/frozenseg_tiny.yaml"), "--output", str(tmp_path / "masks")]
    words = ["--vocabulary", "cat,kitten; sky", "--input", str(tmp_path / "picture.png"), "--sam-masks"]
    assert main([*words, *config, *options(), "TEST.SAM_MASK_POINTS", "3"]) == 0
    sizes = {}
    for kind in ("semantic", "sam_masks"):
        with Image.open(tmp_path / "masks" / f"picture_{kind}.png") as drawing:
            sizes[kind] = drawing.size
    assert sizes["sam_masks"] == (2 * sizes["semantic"][0], sizes["semantic"][1])


def test_without_arguments_toyworld_is_segmented(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output", str(tmp_path)]) == 0
    assert f"{SCENES} images segmented" in capsys.readouterr().out
    assert len(list(tmp_path.glob("toyworld_*_panoptic.png"))) == SCENES
    with Image.open(tmp_path / "toyworld_1.png") as scene:
        assert scene.size == (SCENE_SIZE, SCENE_SIZE)


def test_toyworld_is_asked_for_all_its_words() -> None:
    words = vocabulary_of(parse_arguments(["--output", "masks"]))
    assert len(words) == len(all_categories())
    assert words.isthing == tuple(category.isthing for category in all_categories())


def test_toyworlds_model_can_be_named() -> None:
    by_name, by_default = (parse_arguments(["--output", "masks", *more]) for more in (["--weights", "toyworld"], []))
    assert by_name == by_default


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("--weights model.pth --vocabulary cat", "--input is missing"),
        ("--weights model.pth --input a.png", "--vocabulary or --vocabulary-file is missing"),
        ("--stuff grass", "--stuff needs --vocabulary"),
        ("MODEL.WEIGHTS model.pth", "MODEL.WEIGHTS needs --config-file"),
    ],
)
def test_what_is_missing_is_told(given: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--output", "masks", *given.split()])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("picture", "words", "message"),
    [
        ("picture.png", "", "The vocabulary is empty"),
        ("picture.png", "cat;;dog", "Class 2 of the vocabulary has an empty name"),
        ("broken.png", "cat", "broken.png"),
        ("gone.png", "cat", "gone.png"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    picture: str, words: str, message: str, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--input", str(tmp_path / picture), "--vocabulary", words, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "masks").exists()


def test_words_of_a_file(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "words.tsv"
    table.write_text("id\tname\tsynonyms\tisthing\n1\tcat\tcat,kitten\t1\n2\tsky\t\t0\n", encoding="utf-8")
    words = vocabulary_of(parse_arguments(["--input", "a.png", "--vocabulary-file", str(table), *arguments]))
    assert words.classes == (("cat", "kitten"), ("sky",))
    assert words.isthing == (True, False)
    table.write_text("cat\nsky\n", encoding="utf-8")
    picture = ["--input", str(tmp_path / "picture.png"), "--vocabulary-file", str(table)]
    assert main([*picture, "--stuff", "grass", *arguments]) == 2
    assert "not in the vocabulary: grass" in capsys.readouterr().err
    assert main([*picture, "--stuff", "sky", *arguments, *options()]) == 0


def test_words_are_given_once(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--input", "a.png", "--vocabulary", "cat", "--vocabulary-file", "words.txt", *arguments])
    assert "not allowed with argument" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_refused_before_the_model_is_built(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "masks").write_text("a file", encoding="utf-8")
    words = ["--vocabulary", "cat", "--weights", "gone.pth"]
    assert main(["--input", str(tmp_path / "picture.png"), *arguments, *words]) == 2
    assert "masks is a file): choose another folder" in capsys.readouterr().err


def test_images_of_one_name_keep_their_drawings(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with Image.open(tmp_path / "picture.png") as image:
        image.save(tmp_path / "in/a.jpg")
        image.save(tmp_path / "in/a.png")
    assert main(["--input", str(tmp_path / "in"), "--vocabulary", "cat; sky", *arguments, *options()]) == 0
    names = sorted(path.name for path in (tmp_path / "masks").glob("*_panoptic.png"))
    assert names == ["a.jpg_panoptic.png", "a.png_panoptic.png"]


@pytest.mark.parametrize(
    ("given", "output", "message"),
    [
        ("empty", "masks", "empty has no image"),
        ("*.webp", "masks", "No file matches the pattern"),
        ("a.png a_semantic.png", "", "a_semantic.png would overwrite an image"),
        ("b.png", "", "b_panoptic.png cannot be written, as it is a folder"),
    ],
)
def test_inputs_and_outputs_are_checked_before_the_model_is_built(
    given: str, output: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "b_panoptic.png").mkdir()
    for name in ("a.png", "a_semantic.png", "b.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    inputs = [str(tmp_path / name) for name in given.split()]
    arguments = ["--vocabulary", "cat", "--weights", "gone.pth", "--output", str(tmp_path / output)]
    assert main(["--input", *inputs, *arguments]) == 2
    assert message in capsys.readouterr().err
