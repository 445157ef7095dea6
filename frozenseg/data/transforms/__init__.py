"""Transforms of images and id maps: geometry, and the recipes composed of it."""
