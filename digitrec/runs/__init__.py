"""Entry point: which runs there are, which is best, what differs, and whether that is chance."""
