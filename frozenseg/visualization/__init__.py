"""Drawings of images, masks and text: overlays, legends, sheets."""
