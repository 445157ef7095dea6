"""Data structures of all parts: instances, image batches, masks, label maps, records, output kinds, shape checks."""
