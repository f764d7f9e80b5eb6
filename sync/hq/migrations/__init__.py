"""The numbered steps of head office's PostgreSQL schema; a step is never changed after it has been released."""
