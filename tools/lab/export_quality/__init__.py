"""Quality of an exported model on ToyWorld beside that of the model in PyTorch."""
