"""Frozen SAM encoders, one file for each kind of image encoder."""
