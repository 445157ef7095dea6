"""Drawings: text in any script, overlays of masks, legends, and sheets of images (Pillow and NumPy)."""
