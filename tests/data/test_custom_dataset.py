"""Data sets that are named by what they are made of."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from frozenseg.data import DatasetCatalog, MetadataCatalog, vocabulary_of
from frozenseg.data.catalog import resolve
from frozenseg.data.run_vocabulary import resolve_for_run
from frozenseg.data.seen_classes import seen_classes
from frozenseg.errors import DataError
from frozenseg.structures.palette import vocabulary_colours
from frozenseg.structures.panoptic import id_to_rgb

FOLDER = "folder:farm/images?labels=farm/labels&classes=farm/classes.txt"
PANOPTIC = "coco-panoptic:farm/panoptic.json?images=farm/images"
INSTANCES = "coco-instances:farm/instances.json?images=farm/images"
CATEGORIES = [
    {"id": 9, "name": "field", "isthing": 0, "color": [1, 2, 3]},
    {"id": 4, "name": "tractor", "isthing": 1},
]


@pytest.fixture(autouse=True)
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory; in its folder ``farm`` two images of 2×3 pixels, annotated in three formats."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "elsewhere"))  # also the catalogs' memory is a fresh one
    farm = tmp_path / "farm"
    for name in ("images", "labels", "panoptic"):
        (farm / name).mkdir(parents=True)
    for name in ("a", "b"):
        Image.new("RGB", (3, 2)).save(farm / f"images/{name}.jpg")
        Image.fromarray(np.array([[0, 0, 255], [1, 1, 1]], dtype=np.uint8)).save(farm / f"labels/{name}.png")
        Image.fromarray(id_to_rgb(np.array([[0, 7, 7], [300, 300, 300]]))).save(farm / f"panoptic/{name}.png")
    (farm / "classes.txt").write_text("field,farmland\ntractor,farm vehicle\n", encoding="utf-8")
    images = [{"id": i, "file_name": f"{name}.jpg", "height": 2, "width": 3} for i, name in enumerate("ab")]
    rest = {"iscrowd": 0, "area": 2, "bbox": [1, 0, 2, 1]}
    segments = [{"id": 7, "category_id": 4, **rest}, {"id": 300, "category_id": 9, **rest}]
    panoptic = [{"image_id": i, "file_name": f"{name}.png", "segments_info": segments} for i, name in enumerate("ab")]
    corners = [[1, 0, 3, 0, 3, 1, 1, 1]]
    objects = [{"id": i, "image_id": i, "category_id": 4, "segmentation": corners, **rest} for i in (0, 1)]
    write(farm / "panoptic.json", {"images": images, "annotations": panoptic, "categories": CATEGORIES})
    write(farm / "instances.json", {"images": images, "annotations": objects, "categories": CATEGORIES[1:]})
    return farm


def write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def classes(farm: Path, text: str) -> str:
    (farm / "custom.txt").write_text(text, encoding="utf-8")
    return "&classes=farm/custom.txt"


def test_a_folder(farm: Path) -> None:
    metadata = MetadataCatalog.get(FOLDER)
    assert metadata.name == "farm_images"
    assert metadata.evaluator_type == "sem_seg"
    assert metadata.vocabulary.classes == (("field", "farmland"), ("tractor", "farm vehicle"))
    assert metadata.vocabulary.isthing == (False, False)
    assert metadata.colors == tuple(vocabulary_colours(metadata.vocabulary.names))
    assert (metadata.ignore_label, metadata.first_label) == (255, 0)
    assert vocabulary_of(FOLDER).isthing == (False, False)
    assert DatasetCatalog.get(FOLDER) == [
        {
            "file_name": str(farm / f"images/{name}.jpg"),
            "image_id": name,
            "sem_seg_file_name": str(farm / f"labels/{name}.png"),
        }
        for name in ("a", "b")
    ]
    assert MetadataCatalog.get(FOLDER) is metadata
    assert FOLDER not in DatasetCatalog.list()


def test_labels_may_begin_at_one_and_0_may_mean_nothing(farm: Path) -> None:
    metadata = MetadataCatalog.get(
        f"folder:farm/images?labels=farm/labels&ignore=0{classes(farm, '2:sky' + chr(10) + '1:hay')}"
    )
    assert metadata.vocabulary.names == ("hay", "sky")
    assert metadata.contiguous_ids == {1: 0, 2: 1}
    assert (metadata.ignore_label, metadata.first_label) == (0, 1)


def test_a_table_tells_things_and_colours(farm: Path) -> None:
    table = "id\tname\tisthing\tr\tg\tb\n0\thay\t0\t1\t2\t3\n1\tcow\t1\t4\t5\t6\n"
    metadata = MetadataCatalog.get(f"folder:farm/images?labels=farm/labels{classes(farm, table)}")
    assert metadata.thing_contiguous_ids == {1: 1}
    assert metadata.colors == ((1, 2, 3), (4, 5, 6))


def test_paths_may_be_absolute_at_home_and_encoded(farm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(farm))
    (farm / "labels").rename(farm / "what & why?")
    name = f"folder:{farm}/images?labels=~/what%20%26%20why%3F&classes=~/classes.txt&name=mine"
    assert [record["image_id"] for record in DatasetCatalog.get(name)] == ["a", "b"]
    assert MetadataCatalog.get(name).name == "mine"


def test_coco_panoptic(farm: Path) -> None:
    metadata = MetadataCatalog.get(PANOPTIC)
    assert metadata.name == "farm_panoptic"
    assert metadata.vocabulary.classes == (("field",), ("tractor",))
    assert metadata.thing_contiguous_ids == {4: 1}
    assert metadata.colors == ((1, 2, 3), vocabulary_colours(metadata.vocabulary.names)[1])
    record = DatasetCatalog.get(PANOPTIC)[1]
    assert record["pan_seg_file_name"] == str(farm / "panoptic/b.png")  # beside the JSON, by its name
    assert [segment["category_id"] for segment in record["segments_info"]] == [1, 0]
    assert "sem_seg_file_name" not in record
    (farm / "panoptic").rename(farm / "masks")
    with pytest.raises(
        DataError, match=r"farm_panoptic: the folder of panoptic PNGs .* correct .*, coco-panoptic:JSON\?"
    ):
        DatasetCatalog.get(PANOPTIC)
    record = DatasetCatalog.get(f"{PANOPTIC}&masks=farm/masks&labels=farm/labels")[0]
    assert record["pan_seg_file_name"] == str(farm / "masks/a.png")
    assert record["sem_seg_file_name"] == str(farm / "labels/a.png")


def test_coco_instances(farm: Path) -> None:
    metadata = MetadataCatalog.get(INSTANCES)
    assert (metadata.evaluator_type, metadata.json_file) == ("coco", str(farm / "instances.json"))
    assert metadata.vocabulary.names == ("tractor",)
    assert metadata.vocabulary.isthing == (True,)
    assert [item["category_id"] for item in DatasetCatalog.get(INSTANCES)[0]["annotations"]] == [0]


@pytest.mark.parametrize(
    "text",
    [
        "4:digger\n9:meadow\n12:sky\n",  # by id
        "sky\ndigger,Tractor\nmeadow,field\n",  # by name, in any order, others between them
        "meadow\ndigger\n",  # by order
        "meadow,field\ndigger\n",  # by order, a name among them
    ],
)
def test_words_for_the_categories_of_a_json(text: str, farm: Path) -> None:
    metadata = MetadataCatalog.get(PANOPTIC + classes(farm, text))
    assert metadata.vocabulary.names == ("meadow", "digger")
    assert metadata.thing_contiguous_ids == {4: 1}
    assert metadata.colors[0] == (1, 2, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9:meadow\n", r"custom\.txt has no line for category 4 of .*panoptic\.json"),
        ("sky\nmeadow\ndigger\n", "has 3 classes, .* 2 categories, of which 0 are in the list by name"),
        ("digger\nfield\n", "has 2 classes, .* 2 categories, of which 1 are"),  # by order field would be the tractor
        ("field,tractor\nsky\n", "of which 2 are"),
    ],
)
def test_words_that_do_not_fit_the_json(text: str, message: str, farm: Path) -> None:
    with pytest.raises(DataError, match=message):
        MetadataCatalog.get(PANOPTIC + classes(farm, text))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "foldre:a?labels=b&classes=c",
            r"begins with 'foldre'\. Did you mean 'folder'\? .*folder:IMAGES\?labels=LABELS",
        ),
        ("folder:a?classes=c", r"does not give labels: write folder:IMAGES\?labels=LABELS&classes=FILE"),
        ("folder:a", "does not give labels and classes"),
        ("folder:a?labels=&classes=c", "does not give labels"),
        ("folder:?labels=b&classes=c", "has no path after 'folder'"),
        ("coco-panoptic://?images=b", "The annotation file '//' is a folder: name the JSON file in it"),
        (f"coco-instances:{'x' * 5000}.json?images=b", "does not exist"),
        ("coco-instances:~no_such_user/a.json?images=b", r"~no_such_user/a\.json does not exist"),
        ("coco-instances:..?images=b", r"The annotation file '\.\.' is a folder"),
        ("folder:a?labls=b&classes=c", r"unknown key 'labls'\. Did you mean 'labels' .*\? Write folder:IMAGES"),
        ("folder:a?labels=b&labels=c&classes=d", "gives 'labels' twice"),
        ("folder:a?labels=b&classes=c&name=x/y", "has the name 'x/y': use letters"),
        ("folder:a?labels=b&classes=c&ignore=none", "ignore is 'none' .* a pixel value such as 255 or 0"),
        ("folder:a?labels=b&classes=c.txt", r"file of class names .*c\.txt does not exist"),
        ("coco-panoptic:a.json", r"does not give images: write coco-panoptic:JSON\?images=DIR"),
        ("coco-panoptic:a.json?images=b", r"annotation file .*a\.json does not exist"),
        ("coco-instances:a.json?images=b&masks=c", "unknown key 'masks'"),
    ],
)
@pytest.mark.parametrize("catalog", [DatasetCatalog, MetadataCatalog])
def test_wrong_spellings_are_reported_with_the_right_one(catalog: Any, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        catalog.get(name)


def test_missing_folders(farm: Path) -> None:
    with pytest.raises(
        DataError, match=r"the image folder .*none does not exist; correct the data set's name, folder:"
    ):
        DatasetCatalog.get(FOLDER.replace("images", "none"))


@pytest.mark.parametrize(("name", "file"), [(PANOPTIC, "panoptic.json"), (INSTANCES, "instances.json")])
def test_the_advice_for_damaged_files_is_about_the_file(name: str, file: str, farm: Path) -> None:
    text = (farm / file).read_text(encoding="utf-8")
    (farm / file).write_text(text.replace('"category_id": 4', '"category_id": 77'), encoding="utf-8")
    with pytest.raises(DataError, match="77.*; correct the file, or export or download it again"):
        DatasetCatalog.get(name)


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        ([], "has no categories, expected a list of id and name"),
        ([CATEGORIES[0], {**CATEGORIES[0], "name": "dog"}], "and 'dog' have the same id .*, expected distinct ids"),
        ([{"id": 1}], "has the name None for category 1, expected the name of a class"),
        ([{"name": "cat"}], "category number 1 has no id, expected a whole number"),
        ([{"id": "a", "name": "cat"}], "category number 1 has the id 'a', expected a whole number"),
        ([{"id": 1, "name": "cat", "isthing": "maybe"}], "category 1: isthing"),
        (["cat"], "entry 1 of categories is 'cat', expected a JSON object"),
        (None, "categories is None, expected a list"),
    ],
)
def test_wrong_categories(categories: Any, message: str, farm: Path) -> None:
    write(farm / "panoptic.json", {"categories": categories})
    with pytest.raises(DataError, match=message):
        MetadataCatalog.get(PANOPTIC)


def test_a_class_that_would_never_count_is_refused(farm: Path) -> None:
    many = classes(farm, "\n".join(f"kind {number}" for number in range(300)))
    name = f"folder:farm/images?labels=farm/labels{many}"
    with pytest.raises(DataError, match=r"The value 255 of unlabelled pixels .* 'kind 255': choose another"):
        MetadataCatalog.get(name)
    assert MetadataCatalog.get(f"{name}&ignore=65535").ignore_label == 65535


def run_config(normalize: bool = True, train: str = "") -> Any:
    datasets = {"TRAIN": [train], "TEST": [], "VOCABULARIES": [], "VOCABULARY_FOLDER": "", "NORMALIZE_NAMES": normalize}
    return SimpleNamespace(DATASETS=SimpleNamespace(**datasets))


def test_names_of_custom_data_are_normalised_for_prompts_and_said_once(
    farm: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = "folder:farm/images?labels=farm/labels" + classes(farm, "Traffic_Light,signals\nCar")
    for _ in range(2):
        dataset = resolve_for_run(run_config(), name)
    assert dataset.vocabulary.classes == (("traffic light", "signals"), ("car",))
    assert dataset.metadata.vocabulary.classes == (("Traffic_Light", "signals"), ("Car",))
    [message] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "2 of 3 names are normalised, prompted as 'traffic light' for 'Traffic_Light', 'car' for 'Car'" in message
    training = resolve("openvocab_coco_2017_train_panoptic_with_sem_seg")
    assert seen_classes(dataset, training) == (True, True)
    dataset = resolve_for_run(run_config(normalize=False), name)
    assert dataset.vocabulary.names == ("Traffic_Light", "Car")
    assert seen_classes(dataset, training) == (False, False)


def test_doubled_names_of_custom_data_are_warned_of(farm: Path, caplog: pytest.LogCaptureFixture) -> None:
    name = "folder:farm/images?labels=farm/labels" + classes(farm, "cow\nCow")
    resolve_for_run(run_config(), name)
    assert "was understood as 2 classes: 1 class has the name of another class, 1 and 2 ('cow', 'cow')" in caplog.text


def test_benchmarks_keep_their_prompts() -> None:
    dataset = resolve_for_run(run_config(), "openvocab_lvis_v1_val")
    assert "Band-Aid" in dataset.vocabulary.synonyms
    assert not dataset.normalized


def test_a_list_that_is_shifted_by_one_is_refused(farm: Path) -> None:
    names = ["field", "tractor", "cow", "hay", "barn"]
    categories = [{"id": index + 1, "name": name} for index, name in enumerate(names)]
    write(farm / "instances.json", {"images": [], "annotations": [], "categories": categories})
    right = "\n".join(f"{index + 1}:{name}s,{name}" for index, name in enumerate(names))
    wrong = "\n".join(f"{index}:{name}" for index, name in enumerate([*names, "sheep"]))
    assert vocabulary_of(INSTANCES + classes(farm, right)).names[0] == "fields"
    with pytest.raises(DataError, match="custom.txt is shifted by one class: .*'tractor' where the file has 'cow'"):
        vocabulary_of(INSTANCES + classes(farm, wrong) + "&name=other")
