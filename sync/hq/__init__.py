"""Head office: books what the tills send, exactly once, and tells them what changed."""
