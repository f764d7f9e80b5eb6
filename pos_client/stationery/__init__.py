"""Cards, key tags, labels and coupons to print, and what a stripe is encoded with."""
