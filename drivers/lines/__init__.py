"""Scanners on serial lines, USB-CDC and network ports."""
