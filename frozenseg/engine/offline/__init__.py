"""Offline jobs beside training: SAM proposals on disk, replay of a dumped step."""
