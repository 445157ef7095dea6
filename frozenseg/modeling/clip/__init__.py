"""The frozen CLIP: one file a family of image trunks."""
