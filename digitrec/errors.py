"""What can go wrong through a person's doing, in words meant for that person."""


class DigitrecError(Exception):
    """Something outside the program failed; the message names it and the next step. Exit code 1."""


class UsageError(DigitrecError, ValueError):
    """The command or its configuration is wrong; nothing has been started. Exit code 2."""


class FolderTakenError(UsageError):
    """The run folder holds another run; nothing in it is ours to touch."""


class DataError(DigitrecError):
    """A data file is missing, damaged or out of reach."""


class DivergedError(DigitrecError):
    """A loss is infinite or not a number."""


class CheckpointError(DigitrecError):
    """A checkpoint is missing, damaged or not one of ours."""
