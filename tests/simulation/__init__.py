"""How it is proven: power cuts, kills, a failing wire, and a state machine over tills and head office."""
