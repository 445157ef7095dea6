"""Training and evaluation runs: processes, the training loop and its hooks, checkpoints, logs."""
