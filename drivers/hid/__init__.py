"""HID scanners and stripe readers."""
