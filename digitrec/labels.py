"""What labels mean beyond the classes that they count."""

NO_DIGIT = -1  # an image that shows none of the classes; only training images bear it
