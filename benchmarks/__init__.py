"""Measurements, one command each, with peers in the same run: `make bench`, or python -m benchmarks NAME …"""
