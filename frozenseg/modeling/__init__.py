"""The paper's figure, box by box, in pure PyTorch."""
