"""Names, subsets and their means."""

import numpy as np
import pytest

from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import ClassTable, mean_of_known


def test_names_things_and_subsets(metadata):
    table = ClassTable.from_metadata(metadata, seen=[True, False, True])
    assert table.names == ("cat", "dog", "sky")
    assert table.isthing.tolist() == [True, True, False]
    assert {name: members.tolist() for name, members in table.subsets.items()} == {
        "S": [True, False, True],
        "U": [False, True, False],
        "feline": [True, False, False],
    }


def test_means_leave_out_what_is_unknown(metadata):
    table = ClassTable.from_metadata(metadata, seen=[True, False, True])
    means = table.subset_means("PQ", np.array([0.2, np.nan, 0.4]))
    assert means == pytest.approx({"S_PQ": 30, "U_PQ": np.nan, "feline_PQ": 20}, nan_ok=True)
    assert table.by_name(np.array([0.2, np.nan, 0.4])) == pytest.approx({"cat": 20, "sky": 40})
    assert np.isnan(mean_of_known(np.array([])))


def test_classes_of_one_name_are_told_apart(metadata):
    metadata.stuff_classes = ["cat", "dog", "cat,feline"]
    assert ClassTable.from_metadata(metadata, seen=[True] * 3).names == ("cat (0)", "dog", "cat (2)")


def test_a_data_set_without_things_or_groups(metadata):
    del metadata.thing_dataset_id_to_contiguous_id, metadata.category_groups
    table = ClassTable.from_metadata(metadata, seen=[True] * 3)
    assert not table.isthing.any()
    assert list(table.subsets) == ["S", "U"]


def test_a_flag_for_every_class(metadata):
    with pytest.raises(DataError, match="2 seen/unseen flags for the 3 classes of little_world"):
        ClassTable.from_metadata(metadata, seen=[True, False])
