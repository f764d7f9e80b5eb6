"""Tools around programmes: check one, try it on a basket, compare two, run one over past sales."""
