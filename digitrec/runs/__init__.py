"""List, show, compare and delete runs: `python -m digitrec.runs`."""
