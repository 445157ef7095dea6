"""Export of a trained model to files that run without this package, and the runtime of these files."""
