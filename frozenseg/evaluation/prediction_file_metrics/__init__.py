"""Metrics of prediction files: COCO panoptic format, COCO result files, folders of label images."""
