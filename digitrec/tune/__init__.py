"""Search for better settings: `python -m digitrec.tune`."""
