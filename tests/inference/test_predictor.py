"""Pictures and words in, masks out, on an untrained tiny model."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.data.catalog import vocabulary_of
from frozenseg.data.transforms.recipes import ShortestEdge
from frozenseg.device import pick_device
from frozenseg.errors import CheckpointError, ConfigError, DataError, FrozenSegError
from frozenseg.inference.image_inputs import load_image
from frozenseg.inference.predictor import Segmenter
from frozenseg.inference.result import KINDS
from frozenseg.modeling.build import build_model
from frozenseg.modeling.clip.text_classifier import REMEMBERED
from frozenseg.modeling.load_weights import trained_tensors
from frozenseg.modeling.meta_arch import frozenseg
from frozenseg.modeling.sam.automatic_masks.placement import Placement
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.automatic_masks.proposals import Proposals
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.vocabulary import Vocabulary
from tests.inference.same_result import assert_same_result
from tests.tiny import NARROW, ROOT, TRAINING, tiny_config, training_batch

CONFIG = ROOT / "configs/toyworld/fcclip_tiny.yaml"
WORDS = "cat,kitten; boat; grass"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = build_model(tiny_config("FCCLIP"), TRAINING)
    path = tmp_path_factory.mktemp("weights") / "model.pth"
    classes = {"vocabulary": [",".join(names) for names in TRAINING.classes], "isthing": list(TRAINING.isthing)}
    torch.save({"model": trained_tensors(model), "frozen": model.frozen_hashes(), **classes}, path)
    return path


@pytest.fixture(scope="module")
def segmenter(weights: Path) -> Segmenter:
    return Segmenter.from_config(CONFIG, weights=weights, device="cpu", options=NARROW)


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8))


def test_every_read_out_has_the_pictures_size(segmenter: Segmenter, picture: Image.Image) -> None:
    result = segmenter(picture, WORDS, stuff=["grass"])
    assert result.vocabulary.isthing == (True, True, False)
    assert result.panoptic[0].shape == result.semantic.shape == (60, 90)
    assert result.instances.image_size == (60, 90)
    assert set(result.semantic.unique().tolist()) <= {0, 1, 2}


def test_the_training_words_come_from_the_checkpoint(segmenter: Segmenter) -> None:
    assert segmenter.model.training_vocabulary == TRAINING
    assert segmenter.settings(Vocabulary.parse(WORDS)).seen == (True, False, False)


def test_a_call_leaves_the_model_as_it_was(segmenter: Segmenter, picture: Image.Image) -> None:
    before = dict(vars(segmenter.model))
    with torch.inference_mode():
        segmenter(picture, WORDS)
    after = vars(segmenter.model)
    assert before.keys() == after.keys()
    assert all(after[name] is value for name, value in before.items())
    segmenter.model.train()
    batch = training_batch()
    try:  # what was encoded in inference mode may be trained with
        segmenter.model.set_vocabulary(TRAINING)
        sum(segmenter.model(batch).values()).backward()
    finally:
        segmenter.model.zero_grad(set_to_none=True)
        segmenter.model.eval()


def test_threads_share_a_model_each_with_its_own_vocabulary(segmenter: Segmenter, picture: Image.Image) -> None:
    vocabularies = [f"{WORDS}; thing {index}" + "; sky" * (index % 2) for index in range(REMEMBERED + 2)]
    images = [picture.crop((0, 0, 60 + 6 * index, 40 + 4 * index)) for index in range(5)]
    jobs = [(images[index % 5], vocabularies[index % len(vocabularies)]) for index in range(2 * len(vocabularies))]
    alone = [segmenter(*job) for job in jobs[: len(vocabularies)]] * 2
    before = segmenter.model.inference_settings
    with ThreadPoolExecutor(max_workers=4) as pool:
        together = list(pool.map(lambda job: segmenter(*job), jobs))
    for expected, result in zip(alone, together, strict=True):
        assert_same_result(result, expected)
    assert segmenter.model.inference_settings is before


def test_pretrained_models_are_built_by_name(picture: Image.Image) -> None:
    segmenter = Segmenter.from_pretrained("toyworld", device="cpu")
    assert "red circle" in segmenter.model.training_vocabulary.names
    with pytest.raises(ConfigError, match="Unknown pretrained model 'toy_world'. Did you mean 'toyworld'"):
        Segmenter.from_pretrained("toy_world")
    with pytest.raises(ConfigError, match="Unknown pretrained model None. Available: toyworld"):
        Segmenter.from_pretrained(None)  # type: ignore[arg-type]


def test_outputs_are_the_segmenters_to_choose(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    views = ("TEST.AUG.ENABLED", "True", "MODEL.MASK_FORMER.TEST.PANOPTIC_ON", "False")
    built = Segmenter.from_config(CONFIG, weights=weights, device="cpu", options=[*NARROW, *views])
    assert built.model.postprocessor.panoptic
    assert "TEST.AUG.ENABLED, MODEL.MASK_FORMER.TEST.PANOPTIC_ON: without effect" in caplog.text


def test_sam_is_asked_only_where_its_masks_are_wanted(picture: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    votes = ("TEST.USE_SAM_MASKS", True, "TEST.SAM_MASK_THRESHOLD", 0.0, "TEST.SAM_MASK_PRED_ALPHA", 1.0)
    model = build_model(tiny_config("FrozenSeg", *votes), TRAINING)
    asked = []

    def propose(sam: FrozenSAM, image: torch.Tensor, settings: ProposalSettings) -> Proposals:
        asked.append(image)
        logits = torch.cat([torch.full((1, 32, 16), side) for side in (9.0, -9.0)], dim=2)  # the left half
        ones = torch.ones(1)
        return Proposals(logits, ones, ones, ones.long(), Placement.of(60, 90, sam.image_size), 0)

    monkeypatch.setattr(frozenseg, "propose_masks", propose)
    segmenter = Segmenter(model, ShortestEdge(64, 128))
    without, voted = (segmenter(picture, WORDS, sam_masks=on).semantic for on in (False, True))
    assert len(asked) == 1
    assert not torch.equal(without, voted)
    assert torch.equal(segmenter(picture, WORDS, sam_masks=False).semantic, without)


def test_a_file_that_does_not_say_was_trained_on_the_configs_words(weights: Path, tmp_path: Path) -> None:
    torch.save(torch.load(weights, weights_only=True)["model"], tmp_path / "bare.pth")
    bare = Segmenter.from_config(CONFIG, weights=tmp_path / "bare.pth", device="cpu", options=NARROW)
    assert bare.model.training_vocabulary == vocabulary_of("toyworld_train")


def test_a_file_an_image_and_an_array_are_the_same(segmenter: Segmenter, picture: Image.Image, tmp_path: Path) -> None:
    picture.save(tmp_path / "picture.png")
    results = [segmenter(image, WORDS) for image in (tmp_path / "picture.png", picture, np.asarray(picture))]
    assert all(torch.equal(result.semantic, results[0].semantic) for result in results)


def test_a_vocabulary_may_be_ready_made(segmenter: Segmenter, picture: Image.Image) -> None:
    assert segmenter(picture, Vocabulary.parse(WORDS)).vocabulary.names == ("cat", "boat", "grass")


def test_drawings_are_saved_by_kind(segmenter: Segmenter, picture: Image.Image, tmp_path: Path) -> None:
    paths = segmenter(picture, WORDS).save(tmp_path / "new", "picture")
    assert [path.name for path in paths] == [f"picture_{kind}.png" for kind in KINDS]
    for path in paths:
        with Image.open(path) as drawing:
            assert drawing.width > drawing.height * picture.width / picture.height  # there is a legend


def test_bad_input_is_named(segmenter: Segmenter, picture: Image.Image, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"broken\.jpg"):
        segmenter(tmp_path / "broken.jpg", WORDS)
    with pytest.raises(DataError, match=r"received \(4, 4, 2\) float64"):
        segmenter(np.zeros((4, 4, 2)), WORDS)
    with pytest.raises(DataError, match=r"Image 2 of the list: An image is of type NoneType"):
        segmenter([picture, None], WORDS)  # type: ignore[list-item]
    with pytest.raises(DataError, match="vocabulary is empty"):
        segmenter(picture, "")
    with pytest.raises(DataError, match="sam_masks is 'no', expected True or False"):
        segmenter(picture, WORDS, sam_masks="no")  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="Cannot draw 'panoptics'. Did you mean 'panoptic'"):
        segmenter(picture, WORDS).draw("panoptics")
    with pytest.raises(CheckpointError, match=r"no checkpoint .*gone\.pth"):
        Segmenter.from_config(CONFIG, weights=tmp_path / "gone.pth", options=NARROW)
    with pytest.raises(CheckpointError, match="another architecture"):
        Segmenter.from_config(ROOT / "configs/toyworld/frozenseg_tiny.yaml", weights=weights, options=NARROW)


def test_a_device_that_is_not_there_is_refused_before_the_model_is_built(weights: Path) -> None:
    with pytest.raises(ConfigError, match="^device is 'gpu', expected auto, cpu, cuda or cuda:N"):
        Segmenter.from_config(CONFIG, weights=weights, device="gpu", options=NARROW)
    with pytest.raises(ConfigError, match="MODEL.DEVICE is 'tpu'"):
        Segmenter.from_config(CONFIG, weights=weights, options=[*NARROW, "MODEL.DEVICE", "tpu"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"options": ["SEED"]}, "options has no value for its last key 'SEED'"),
        ({"options": "SEED 1"}, "options is 'SEED 1', expected"),
        ({"options": [1, "SEED"]}, "options has 1 where a key is expected"),
        ({"options": {"SEEDS": 1}}, "^options: unknown key 'SEEDS'. Did you mean 'SEED'"),
        ({"options": {3: 4}}, "^options: unknown key '3'. All keys are listed in frozenseg/config/defaults"),
        ({"options": {"MODEL.PIXEL_STD": [0, 0, 0]}}, "^options: MODEL.PIXEL_STD is .*from 0.001 to 255 grey levels"),
        ({"options": ["MODEL.MASK_FORMER.NHEADS", 7]}, r"NHEADS is 7 \(options\), expected a multiple"),
        ({"options": None}, "options is None"),
        ({"weights": {}}, "weights is of type dict, expected a path or a name"),
        ({"config": 3}, "config is of type int, expected a path or a name"),
        ({"device": 7.5}, "device is 7.5, expected auto"),
        ({"device": True}, "device is True"),
        ({"device": "cpu:1"}, "device is 'cpu:1'"),
        ({"device": torch.device("meta")}, r"device is device\(type='meta'\)"),
    ],
)
def test_a_wrong_argument_is_one_sentence(weights: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(FrozenSegError, match=message):
        Segmenter.from_config(**{"config": CONFIG, "weights": weights, **arguments})


def test_devices_and_options_have_several_types(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = dict(zip(NARROW[::2], NARROW[1::2], strict=True))
    built = Segmenter.from_config(str(CONFIG), weights=str(weights), device=torch.device("cpu"), options=options)
    assert built.model.device.type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(pick_device(device)) for device in (1, "cuda:1", torch.device("cuda", 1))] == ["cuda:1"] * 3
    with pytest.raises(ConfigError, match="device is 2, which is GPU 2"):
        pick_device(2, "device")


def test_a_list_of_images_gives_a_list_of_results(segmenter: Segmenter, picture: Image.Image) -> None:
    tensor = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)
    one, two = segmenter([picture, tensor], ["cat,kitten", "boat", "grass"], stuff="grass")
    assert torch.equal(one.semantic, two.semantic)
    assert one.vocabulary == Vocabulary.parse(WORDS, ["grass"])
    assert segmenter([], WORDS) == []


def test_drawings_that_cannot_be_written_are_one_sentence(
    segmenter: Segmenter, picture: Image.Image, tmp_path: Path
) -> None:
    result = segmenter(picture, WORDS)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"cannot be written to .*file \("):
        result.save(tmp_path / "file")
    for name in ("a/b", "..\\b", "", " ", 3):
        with pytest.raises(ConfigError, match="name is .*, expected the beginning of file names"):
            result.save(tmp_path, name)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="cannot be written to a.b"):
        result.save("a\0b")
    with pytest.raises(ConfigError, match="folder is None, expected a path"):
        result.save(None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="Cannot draw 3"):
        result.draw(3)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_pictures_are_turned_upright_and_decoded_when_they_are_read(picture: Image.Image, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    picture.save(tmp_path / "turned.jpg", exif=exif)
    with Image.open(tmp_path / "turned.jpg") as turned:
        assert load_image(turned).size == load_image(tmp_path / "turned.jpg").size == (60, 90)
    picture.save(tmp_path / "short.png")
    (tmp_path / "short.png").write_bytes((tmp_path / "short.png").read_bytes()[:2000])
    with Image.open(tmp_path / "short.png") as short, pytest.raises(DataError, match=r"short\.png cannot be decoded"):
        load_image(short)
