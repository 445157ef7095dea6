"""Frozen CLIP encoders, one file for each family of image trunks."""
