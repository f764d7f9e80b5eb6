"""A chain of tills simulated at scale: real tills and head office code, with time, network and shoppers made up."""
