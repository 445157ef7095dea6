"""Operators without weights of their own, and the attention built on one of them."""
