"""The demonstration: a head office, a till and its devices on this machine, and one shop morning played on them."""
