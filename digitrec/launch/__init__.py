"""From a command line to a run or a sweep."""

from digitrec.launch.command import SweepStart, launch

__all__ = ["SweepStart", "launch"]
