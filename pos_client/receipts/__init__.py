"""Receipts: what they say, and how they look on paper, as text, on a page and as a picture."""
