"""Operators without weights, and the deformable attention module built on one of them."""
