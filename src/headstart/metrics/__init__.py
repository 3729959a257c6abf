"""Scores, calibration and the statistics that compare them."""
