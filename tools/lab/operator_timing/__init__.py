"""Timing of the implementations of deformable attention, and their errors against float64."""
