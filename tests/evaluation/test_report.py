"""Result tables, JSON file and CSV table of classes."""

import json

import numpy as np

from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.published import PublishedScore
from frozenseg.evaluation.report import main_columns, results_table, write_per_class, write_results

NAN = float("nan")
RESULTS = {
    "world_seen": {"panoptic_seg": {"PQ": 31.25, "U_PQ": NAN}, "sem_seg": {"mIoU": 40.0}},
    "world_unseen": {"panoptic_seg": {"PQ": 5.0, "U_PQ": 5.0, "word_PQ": 12.345}},
}


def test_the_table_has_a_block_for_all_then_a_block_a_task_and_a_line_a_benchmark():
    assert results_table(RESULTS).splitlines() == [
        "Benchmark       PQ    mIoU",
        "------------  ----  ------",
        "world_seen    31.2    40.0",
        "world_unseen   5.0       –",
        "",
        "Panoptic        PQ    U_PQ    word_PQ",
        "------------  ----  ------  ---------",
        "world_seen    31.2       –          –",
        "world_unseen   5.0     5.0       12.3",
        "",
        "Semantic      mIoU",
        "----------  ------",
        "world_seen    40.0",
    ]
    assert results_table({}) == ""


def test_the_file_is_strict_json_and_whole(tmp_path):
    path = tmp_path / "inference" / "results.json"
    path.parent.mkdir()
    path.write_text("old", encoding="utf-8")
    write_results(path, RESULTS, per_class={"world_seen": {"PQ": {"red circle": NAN}}})

    def refuse(constant):
        raise AssertionError(constant)

    content = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert content["world_seen"]["panoptic_seg"] == {"PQ": 31.25, "U_PQ": None}
    assert content["world_seen"]["per_class"] == {"PQ": {"red circle": None}}
    assert content["world_unseen"]["panoptic_seg"]["word_PQ"] == 12.345
    assert [entry.name for entry in path.parent.iterdir()] == ["results.json"]
    assert "per_class" not in RESULTS["world_seen"]


def test_the_tables_show_main_metrics_only():
    table = results_table({"world": {"panoptic_seg": {"PQ": 1.0, "SQ_th": 2.0, "S_SQ": 3.0}, "other": {"x": 4.0}}})
    assert table.splitlines()[0].split() == ["Panoptic", "PQ"]
    assert table.splitlines()[4].split() == ["other", "x"]  # of what is not known everything
    assert main_columns("segm", ["APr", "word_AP", "AP75", "word_AP75", "S_AP"]) == ["AP75", "APr", "S_AP", "word_AP"]


def test_what_was_run_stands_with_each_benchmark(tmp_path):
    write_results(tmp_path / "results.json", RESULTS, about={"world_seen": {"seconds": {"data": 0.5}}})
    content = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert content["world_seen"]["about"] == {"seconds": {"data": 0.5}}
    assert list(content) == list(RESULTS)


def test_the_table_of_classes(tmp_path):
    subsets = {"S": np.array([True, False, True]), "U": np.array([False, True, False])}
    classes = ClassTable(("cat", 'dog, "big"', "sky"), np.array([True, True, False]), subsets)
    per_class = {"PQ": {"cat": 12.5, "sky": NAN}, "AP": {'dog, "big"': 1 / 3}}
    write_per_class(tmp_path / "x.csv", classes, per_class)
    assert (tmp_path / "x.csv").read_text(encoding="utf-8").splitlines() == [
        "class,kind,seen,PQ,AP",
        "cat,thing,yes,12.5,",
        '"dog, ""big""",thing,no,,0.3333333333333333',
        "sky,stuff,yes,,",
    ]


def test_published_results_stand_below_ours():
    others = [
        PublishedScore("Their model", "log", "world_seen", "panoptic_seg", "PQ", 30.0),
        PublishedScore("Their model", "log", "world_seen", "panoptic_seg", "SQ", 70.06),
        PublishedScore("Their model", "README", "world_seen", "panoptic_seg", "PQ", 33.0),
        PublishedScore("Their model", "log", "elsewhere", "panoptic_seg", "PQ", 1.0),
    ]
    ours = {"world_seen": {"panoptic_seg": {"PQ": 31.25}}}
    assert results_table(ours, others).splitlines()[2:] == [
        "world_seen                         31.2     –",
        "· Their model, published (log)     30.0  70.1",
        "· Their model, published (README)  33.0     –",
    ]
