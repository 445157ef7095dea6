"""Parts that several boxes use, one a file."""
