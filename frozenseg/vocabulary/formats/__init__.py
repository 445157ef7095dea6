"""Formats of class lists, one reader a module; each recognises its format by the content."""
