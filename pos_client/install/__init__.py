"""Puts Spaarpunt on a machine as services: which files, what is in them, and writing or taking them back."""
