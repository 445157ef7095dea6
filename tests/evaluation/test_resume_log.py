"""Resume log: entries are read back, also after a kill."""

import json

import pytest

from frozenseg.errors import DataError
from frozenseg.evaluation.resume_log import ResumeLog, delete_resume_logs, read_kept_images, read_resume_logs

ABOUT = {"weights": "abc", "SEED": 1}


def note(folder, rank, contributions, about=ABOUT):
    journal = ResumeLog(folder, rank, about)
    for image, contribution in contributions.items():
        journal.observe({"image_id": image}, {}, contribution)
    journal.close()


def test_contributions_come_back_to_the_last_digit(tmp_path):
    sums = {"PanopticQuality": [[0, 1, 0, 2, 2 / 3]], "InstanceAP": {"lines": [{"score": 0.1 + 0.2}]}}
    note(tmp_path / "x", 0, {7: sums})
    note(tmp_path / "x", 0, {8: None})  # resumed
    note(tmp_path / "x", 1, {9: []})
    assert read_resume_logs(tmp_path / "x", ABOUT) == {"7": sums, "8": None, "9": []}
    delete_resume_logs(tmp_path / "x")
    assert read_resume_logs(tmp_path / "x", ABOUT) == {}


def test_a_line_that_was_cut_short_is_passed_over_and_not_glued_to_the_next(tmp_path):
    note(tmp_path, 0, {1: [1], 2: [2]})
    path = tmp_path / "journal_0.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    assert read_resume_logs(tmp_path, ABOUT) == {"1": [1]}
    note(tmp_path, 0, {2: [2], 3: [3]})
    assert read_resume_logs(tmp_path, ABOUT) == {"1": [1], "2": [2], "3": [3]}


def test_an_image_is_in_the_file_before_the_next_one_comes(tmp_path):
    journal = ResumeLog(tmp_path, 0, ABOUT)
    journal.observe({"file_name": "a.jpg"}, {}, [1])
    lines = (tmp_path / "journal_0.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"about": ABOUT}, {"image": "a.jpg", "contribution": [1]}]
    journal.close()


def test_the_journal_of_another_evaluation_is_refused(tmp_path):
    note(tmp_path, 0, {1: [1]})
    with pytest.raises(DataError, match=r"journal_0\.jsonl belongs to another evaluation: SEED, words differ"):
        read_resume_logs(tmp_path, {"weights": "abc", "SEED": 2, "words": ("cat",)})


def test_gallery_images_and_contributions_are_separate(tmp_path):
    journal = ResumeLog(tmp_path, 0, ABOUT)
    journal.write_kept_image({"image": "a", "score": 0.5})
    journal.observe({"image_id": "a"}, {}, [1])
    journal.close()
    assert list(read_kept_images(tmp_path)) == [{"image": "a", "score": 0.5}]
    assert read_resume_logs(tmp_path, ABOUT) == {"a": [1]}
