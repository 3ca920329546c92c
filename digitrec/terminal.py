"""Output that outlives its reader: `python -m digitrec.train | head` sees the first lines, and training goes on."""

import errno
import io
import os
import sys

GONE = {errno.EPIPE, errno.EIO}  # the reader of a pipe, and the terminal of one who has closed its window


class LastingStream(io.TextIOWrapper):
    """Text for a reader who may go away; what is written after that is dropped."""

    def write(self, text: str) -> int:
        """Write as any text stream does."""
        try:
            return super().write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        """Flush as any text stream does."""
        try:
            super().flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        if error.errno not in GONE:
            raise error
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
