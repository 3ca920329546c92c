"""The format of a run folder, written and read without torch."""


def named_network(text: str | None) -> str | None:
    """What --checkpoint names, the folder for a run's name; None for the network there is without one."""
    if text is None:
        return None
    from digitrec.run_folder.find import run_path  # takes longer to import than a picture to read

    return run_path(text)
