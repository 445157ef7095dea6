"""What happens to pixels between the file and the model: geometry, and the recipes made of it."""
