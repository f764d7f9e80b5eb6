"""The cashier's screen: facts from the till, a view in words, a page that shows it, and what its keys do."""
