"""Doors to other frameworks; nobody imports them."""
