"""The store manager's pages at `/manager`, behind a manager's PIN."""
