"""Registered data sets, one family in each file with a list ``SPECS``; the catalogs scan this folder on first use."""
