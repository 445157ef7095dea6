"""Class lists of other tools: read for what they are, never shifted by one, or refused in a sentence."""

import logging
from pathlib import Path

import pytest

from frozenseg.errors import DataError
from frozenseg.vocabulary.files import VocabularyLine, read_vocabulary_lines

CAT, DOG = ("cat",), ("dog",)
PLAIN = [(None, CAT), (None, DOG)]
FROM_0, FROM_1 = [(0, CAT), (1, DOG)], [(1, CAT), (2, DOG)]
CVAT = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:128,0,0::\ntraffic light:0,128,0:head,foot:turn\n"
LABEL_STUDIO = """<View>
  <Image name="image" value="$image"/>
  <PolygonLabels name="label" toName="image">
    <Label value="cat" background="#FFA39E"/><Label value="dog" background="red"/>
  </PolygonLabels>
  <RectangleLabels name="box" toName="image"><Label value="cat"/></RectangleLabels>
</View>"""


def read(folder: Path, text: str | bytes, name: str = "classes.txt") -> list[VocabularyLine]:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_vocabulary_lines(folder / name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # CSV
        ("id,name\n1,cat\n2,dog\n", FROM_1),
        ("name,id\r\ncat,1\r\ndog,2\r\n", FROM_1),
        ("id;name\n0;cat\n1;dog", FROM_0),
        ("Class,Color\ncat,#ff0000\ndog,#00ff00\n", PLAIN),
        (",name\n0,cat\n1,dog\n", FROM_0),  # pandas with its index
        (",id,name\n0,1,cat\n1,2,dog\n", FROM_1),
        ("Unnamed: 0,name,id\n0,cat,1\n1,dog,2\n", FROM_1),
        ("Pixel Value, Class\n0, cat\n1, dog\n", FROM_0),  # Roboflow's _classes.csv
        ('"id","name","supercategory"\n1,"cat","animal"\n2,"dog","animal"\n', FROM_1),
        ('id,name\n1,"cat, kitten"\n2,dog\n', [(1, ("cat", "kitten")), (2, DOG)]),
        ("id,name,\n1,cat,\n2,dog,\n", FROM_1),
        ("label,name\n0,cat\n1,dog\n", FROM_0),
        ("name,r,g,b\ncat,1,2,3\ndog,4,5,6\n", PLAIN),  # CamVid's class_dict.csv
        ("Idx,Ratio,Train,Val,Stuff,Name\n1,0.2,3,4,0,cat\n2,0.1,2,3,1,dog\n", FROM_1),  # ADE20K's objectInfo150.csv
        ("Idx\tRatio\tStuff\tName\n1\t0.2\t0\tcat\n2\t0.1\t1\tdog\n", FROM_1),
        # numbers
        ("0 cat\n1 dog\n", FROM_0),
        ("0: cat\n1: dog\n", FROM_0),
        ("1. cat\n2. dog\n", FROM_1),
        ("0\tcat\n1\tdog\n", FROM_0),
        ("0,cat\n1,dog\n", FROM_0),
        ("1) cat\n2) dog\n", FROM_1),
        ("1 - cat\n2 - dog\n", FROM_1),
        ("1:cat\n\n7:dog\n", [(1, CAT), (7, DOG)]),
        ("cat: 0\ndog: 1\n", FROM_0),
        ("cat,1\ndog,2\n", FROM_1),
        ("cat=1\ndog=2\n", FROM_1),
        ("item {\n  id: 1\n  name: 'cat'\n}\nitem {\n  id: 2\n  name: \"dog\"\n}\n", FROM_1),
        # YAML and JSON
        ("train: ../train/images\nval: v\n\nnc: 2\nnames: ['cat', 'dog']\n", PLAIN),
        ("path: .\nnames:\n  0: cat\n  1: dog\n", FROM_0),
        ("names:\n- cat\n- dog\nnc: 2\n", PLAIN),
        ("names: {0: no, 1: on}\n", [(0, ("no",)), (1, ("on",))]),
        ('{"categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]}', FROM_1),
        ('{"categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}], "info": {"year": 2024}}', FROM_0),
        ('[{"id": 1, "name": "cat", "color": "#ff0000"}, {"id": 2, "name": "dog"}]', FROM_1),
        ('["cat", "dog"]', PLAIN),
        ("['cat', 'dog']", PLAIN),
        ('{"0": "cat", "1": "dog"}', FROM_0),
        ('{"cat": 0, "dog": 1}', FROM_0),
        ('{"id2label": {"0": "cat", "1": "dog"}, "label2id": {"cat": 0, "dog": 1}}', FROM_0),
        ('{"labels": [{"name": "cat", "instances": true}, {"name": "dog"}]}', PLAIN),  # Mapillary's config
        # others
        (LABEL_STUDIO, PLAIN),
        ("__ignore__\n_background_\ncat\n", [(0, ("background",)), (1, CAT)]),  # labelme
        ("_background_\ncat\n", [(0, ("background",)), (1, CAT)]),
        ("cat\ndog\n", PLAIN),  # darknet's obj.names
        ("class_name\ncat\ndog\n", PLAIN),
        ("class_name\n", [(None, ("class_name",))]),
        ("name,class\ncat,animal\ndog,animal\n", PLAIN),
        ("- cat\n- dog\n", PLAIN),
        ("cat,\ndog,\n", PLAIN),
        ("cat;\ndog;\n", PLAIN),
        ("cat; dog;", PLAIN),
        ("'cat, kitten'\ndog\n", [(None, ("cat", "kitten")), (None, DOG)]),
        ('"18 wheeler"\n"7"\n', [(None, ("18 wheeler",)), (None, ("7",))]),
        ("4x4\n3d printer\n7-up\n", [(None, ("4x4",)), (None, ("3d printer",)), (None, ("7-up",))]),
        ("word 1\nword 2\n", [(None, ("word 1",)), (None, ("word 2",))]),
    ],
)
def test_formats(text: str, expected: list[tuple[int | None, tuple[str, ...]]], tmp_path: Path) -> None:
    assert [line[:2] for line in read(tmp_path, text)] == expected


def test_labelmaps_of_cvat_keep_their_order_and_colours(tmp_path: Path) -> None:
    assert read(tmp_path, CVAT) == [
        VocabularyLine(0, ("background",), None, (0, 0, 0)),
        VocabularyLine(1, ("cat",), None, (128, 0, 0)),
        VocabularyLine(2, ("traffic light",), None, (0, 128, 0)),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "cat 1 2 3\ndog 4 5 6\n",
        "1 2 3 cat\n4 5 6\t\tdog\n",
        "cat,1,2,3\ndog,4,5,6\n",
        "cat #010203\ndog #040506\n",
        "#010203 cat\n#040506 dog\n",
        "class,color\ncat,#010203\ndog,#040506\n",
        'name,rgb\ncat,"(1, 2, 3)"\ndog,"4,5,6"\n',
        "name;red;green;blue\ncat;1;2;3\ndog;4;5;6\n",
        '[{"name": "cat", "color": [1, 2, 3]}, {"name": "dog", "color": "#040506"}]',
        '{"cat": [1, 2, 3], "dog": [4, 5, 6]}',
    ],
)
def test_colours(text: str, tmp_path: Path) -> None:
    assert read(tmp_path, text) == [
        VocabularyLine(None, CAT, None, (1, 2, 3)),
        VocabularyLine(None, DOG, None, (4, 5, 6)),
    ]


def test_numbers_and_colours(tmp_path: Path) -> None:
    assert read(tmp_path, "0 cat 1 2 3\n1 dog 4 5 6\n")[1] == VocabularyLine(1, DOG, None, (4, 5, 6))


def test_flags(tmp_path: Path) -> None:
    flags = {"isthing,name\n1,cat\n0,dog\n", "name,stuff\ncat,0\ndog,1\n", "isthing,name\ntrue,cat\nfalse,dog\n"}
    for text in flags:
        assert [line.isthing for line in read(tmp_path, text)] == [True, False]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encodings(encoding: str, newline: str, tmp_path: Path) -> None:
    text = newline.join(["cat", "Hündin", ""])
    assert [line.names for line in read(tmp_path, text.encode(encoding))] == [("cat",), ("Hündin",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 cat\ndog\n", "line 2: 'dog' is not in the format of the other lines; begin every line with its number"),
        ("cat\n18 wheeler\ndog\n", "line 2: '18 wheeler' is not in the format .* in quotes"),
        ("18 wheeler\n4 door car\n", "line 1: '18 wheeler' begins with 18, which is the number of a class or a part"),
        ("cat 0\ndog 1\n", "line 1: 'cat 0' ends with a number, as all lines do; write 0:cat if it is the number"),
        ("0 0.5 0.5 0.1 0.1\n1 0.5 0.5 0.1 0.1\n", "line 1: .* is no number from 0 on with a name"),
        ("-1:cat\n0:dog\n", "line 1: '-1:cat' is no number from 0 on with a name"),
        ("id,name\n1,traffic light,green\n", "line 2: 3 columns, but the header names 2 .*in double quotes"),
        ("id,name\n1\n", "line 2: the class has no name"),
        ("id,name\none,cat\n", "line 2: id, r, g and b must be whole numbers"),
        ("id,color\n1,red\n", "line 1: name is missing from the column names"),
        (
            "label,class\ncat,animal\ndog,animal\n",
            "line 1: several columns hold the names of the classes, label, cl",
        ),
        ("id,pixel_value,name\n1,0,cat\n2,1,dog\n", "line 1: several columns hold the numbers of the classes"),
        ("Klasse,Anzahl\nKatze,12\n", "line 2: 'Katze,12' has a number among its names"),
        ("nc: 3\nnames: [cat, dog]\n", "nc is 3, but names lists 2 classes: correct one of them"),
        ("names: {0: cat, 0: dog}\n", "has the number 0 twice"),
        ("names: [cat, [dog]]\n", "is not the name of a class"),
        ("names: [cat\n", "begins as JSON or YAML, but is not a list of classes"),
        ('{"shapes": [], "imagePath": "a.jpg"}', "it has the keys shapes, imagePath: expected a list of classes"),
        ('{"categories": [{"id": null, "name": "cat"}, {"id": 1, "name": "dog"}]}', "numbers some of its classes only"),
        ('{"categories": [{"id": "a", "name": "cat"}]}', "the id of 'cat' is 'a': expected a whole number"),
        ('{"categories": [{"id": 1}]}', "entry 1 has no name"),
        ("[" * 100_000, "nested too deeply"),
        ("names: &a [*a]\n", "begins as JSON or YAML"),
        ("<!DOCTYPE html><html><body>404</body></html>", "is a web page"),
        ("<annotation><object><name>cat</name></object></annotation>", "XML .* without labels"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><View/>', "XML with a document type"),
        ("<View><Label value=", "damaged XML"),
        ("version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        ("classes = 2\nnames = data/obj.names\n", "line 1: 'classes = 2' has '='"),
        ("data/a.jpg\ndata/b.jpg\n", "line 1: 'data/a.jpg' is the name of a file"),
        ("cat\t\ndog\tpup\n", "has '.*t', which no name"),
        ("_background_\n_background_\n", "must be the first class"),
        ("cat\n__ignore__\n_background_\n", "_background_ must be the first class of a list of labelme"),
        ("cat 1 2 300\ndog 1 2 3\n", "'1 2 300' is no colour"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "cannot be read as text"),
        (b"z\xe9bre\n", "cannot be read as text .*UTF-8"),
        (b"PK\3\4\x14\0", "cannot be read as text|zip"),
    ],
)
def test_refused(text: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path, text)
    assert "classes.txt" in str(error.value)
    assert len(str(error.value)) < 700


def test_long_files_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 6 MB, expected at most 5 MB"):
        read(tmp_path, b"a" * 6_000_000)
    for text, message in {
        "a\n" * 200_000: "200000 lines, expected the names of at most 100000 classes",
        "<a>" * 1_000_000: "it is XML of 3000000 characters",
        "names: [" + "a," * 300_000: "of YAML at most 500000 are read",
        "item {" * 500_000: "has no class",
    }.items():
        with pytest.raises(DataError, match=message):
            read(tmp_path, text)


def test_other_formats_are_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            read(tmp_path, CVAT)
            read(tmp_path, "cat\ndog\n", "plain.txt")
    [message] = caplog.messages
    assert message.endswith(
        "classes.txt: read as a labelmap of CVAT, 3 classes: 0 'background', 1 'cat', 2 'traffic light'."
    )
