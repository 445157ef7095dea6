"""Prediction on images outside of any data set."""
