"""Output that outlives its reader: `python -m digitrec.train | head` sees the first lines, and training goes on."""

import io
import os
import sys


class LastingStream(io.TextIOWrapper):
    """Text for a reader who may go away; what is written after that is dropped."""

    def write(self, text: str) -> int:
        """Write as any text stream does."""
        try:
            return super().write(text)
        except BrokenPipeError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        """Flush as any text stream does."""
        try:
            super().flush()
        except BrokenPipeError:
            self._drop()

    def _drop(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())  # for what C libraries and processes started later print, too
        os.close(nowhere)


def outlive_readers() -> None:
    """Let standard output and error be of no more account than their readers; streams put in their place stay."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and stream is getattr(sys, f"__{name}__"):
            stream.flush()
            plain = open(stream.fileno(), "wb", closefd=False)  # noqa: SIM115 - as long as the process
            lasting = LastingStream(plain, stream.encoding, stream.errors, line_buffering=stream.line_buffering)
            setattr(sys, name, lasting)
