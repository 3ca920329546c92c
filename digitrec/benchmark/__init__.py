"""How fast digitrec is, and beside what: python -m digitrec.benchmark."""
