"""From class scores and masks to semantic, panoptic and instance outputs: pure functions of one image."""
