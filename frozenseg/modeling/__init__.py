"""Model of the paper in pure PyTorch: one folder or file for each box of its figure."""
