"""Trials of the verb label: mixed images, killed runs, throughput and memory."""
