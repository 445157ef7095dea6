"""Timing of the SAM proposals against the automatic mask generator of the segment_anything package."""
