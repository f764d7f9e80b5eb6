"""Tests of Spaarpunt, in a tree that mirrors the packages."""
