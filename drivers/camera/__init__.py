"""Cameras that look at cards and phones."""
