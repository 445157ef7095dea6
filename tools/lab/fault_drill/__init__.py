"""Fault drill: training under kills, full disks, damaged files and NaN, compared with an undisturbed run."""
