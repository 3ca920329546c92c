"""How well pictures are read whose digits are known."""
