"""Training checkpoints: files, index, random states."""
