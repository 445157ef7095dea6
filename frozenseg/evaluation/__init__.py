"""Metrics: one per file, computed image by image, merged over processes; result tables and prediction files."""
