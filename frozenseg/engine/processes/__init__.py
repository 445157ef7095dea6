"""Processes of a run: launching, preemption."""
