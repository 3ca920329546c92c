"""What is drawn or becomes a page."""
