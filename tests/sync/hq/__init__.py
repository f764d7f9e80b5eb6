"""Tests of head office, on a real PostgreSQL."""
