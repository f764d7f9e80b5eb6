"""Symbols out of pictures."""
