"""The loopback HTTP API through which the till's own software sells with Spaarpunt."""
