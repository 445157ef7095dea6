"""Training checkpoints: files, index, and states of the random generators."""
