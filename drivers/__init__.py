"""Drivers: the shop's hardware on one side, UnifiedPOS events on the other. Knows nothing of loyalty."""
