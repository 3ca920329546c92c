"""The format of a run folder, written and read without torch."""
