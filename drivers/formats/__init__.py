"""What comes over the wire, as the standards have it: frames, tracks, labels, keyboard layouts. Pure."""
