"""A page to draw on: what is drawn is read while it is drawn."""
