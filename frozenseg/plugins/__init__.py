"""Plug-ins for other frameworks; no other module imports them."""
