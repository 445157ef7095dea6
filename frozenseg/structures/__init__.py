"""Shared data structures: instances, image batches, masks, label maps, records, output kinds, shape checks."""
