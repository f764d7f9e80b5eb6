"""Whole roads through real processes."""
