"""Ablation studies: grids of trainings and evaluations over configs and seeds, with tables and plots."""
