"""Published scores in the form of our reports."""

from frozenseg.engine.evaluation.published_scores import published_results
from frozenseg.evaluation.published import PublishedScore


def test_every_score_has_model_source_data_set_and_task():
    rows = published_results()
    assert {row.task for row in rows} == {"panoptic_seg", "sem_seg", "segm"}
    assert [row.value for row in rows if row.benchmark == "openvocab_lvis_v1_val"] == [23.5, 25.6]
    assert len({row[:5] for row in rows}) == len(rows)
    ade20k = "openvocab_ade20k_panoptic_val", "sem_seg", "mIoU"
    assert [row for row in rows if row.model == "FrozenSeg ConvNeXt-L" and row[2:5] == ade20k] == [
        PublishedScore("FrozenSeg ConvNeXt-L", "log", *ade20k, 33.83),
        PublishedScore("FrozenSeg ConvNeXt-L", "README, SAM masks", *ade20k, 34.4),
    ]
