"""How fast digitrec is, and beside what: python -m scripts.measure.benchmark."""
