"""What flows between the boxes: instances, image batches, masks, panoptic ids, shape checks."""
