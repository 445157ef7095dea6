"""Frozen maps in, mask features and three scales for the queries out."""
