"""Trials of the verb label: mixed images, killed runs, throughput and memory."""

MEASUREMENT_NAMES = ("throughput", "memory", "kills")  # in the order of ``measurements.MEASUREMENTS``
