"""Simulated hardware over real kernel objects, for the demo, for training and for support."""
