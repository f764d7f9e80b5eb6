"""From a frame to an event, past the payment guard. Pure."""
