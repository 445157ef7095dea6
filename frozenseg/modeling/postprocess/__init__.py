"""Post-processing: from class logits and masks of one image to semantic, panoptic and instance outputs."""
