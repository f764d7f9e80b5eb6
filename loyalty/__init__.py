"""The pure domain of Spaarpunt: cards, baskets, programmes, points. No I/O, no clock, no randomness."""
