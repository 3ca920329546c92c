"""From a person's picture to an image like MNIST's, by numpy and scipy, without torch."""
