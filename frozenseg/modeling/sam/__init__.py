"""The frozen SAM: one file a kind of image encoder."""
