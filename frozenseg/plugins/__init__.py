"""Bridges to other frameworks; nobody imports them."""
