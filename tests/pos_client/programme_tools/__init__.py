"""Tests of the programme tools."""
