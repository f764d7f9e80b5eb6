"""The till: use cases, loopback API for other tills' software, cashier screen and command line."""

__version__ = "0.1.0"
