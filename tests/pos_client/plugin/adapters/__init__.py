"""The adapters, by golden exchanges and over real HTTP."""
