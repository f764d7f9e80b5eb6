"""The till's store and journal, the protocol and the agent that carries entries to head office, and head office."""
