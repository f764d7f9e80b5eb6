"""Adapters: protocols that other tills speak already, over the use cases of the plug-in API. Each off by default."""
