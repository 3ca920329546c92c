"""From a person's picture to the digit that MNIST's makers would have made of it; numpy only, no torch."""
