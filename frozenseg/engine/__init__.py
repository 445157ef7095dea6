"""The machine around the model: processes, the training loop and its hooks, checkpoints, logs, evaluation runs."""
