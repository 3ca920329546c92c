"""Reading a person's pictures with a trained network."""
