"""A failed trial's row in TensorBoard's HParams tab; those that come to an end write their own."""

import time
from collections.abc import Mapping
from pathlib import Path

from digitrec.tune.space import Value


def log_failure(folder: Path, settings: Mapping[str, Value]) -> None:
    """Write what a search chose for a trial, and that it failed, into the folder of its run."""
    # Here, since a search without failures needs none of it.
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE
    from tensorboard.plugins.hparams.summary import session_end_pb, session_start_pb
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    chosen = {name: value if value is not None else "null" for name, value in settings.items()}
    writer = EventFileWriter(str(folder))
    for summary in (session_start_pb(hparams=chosen), session_end_pb(STATUS_FAILURE)):
        writer.add_event(Event(wall_time=time.time(), summary=summary))
    writer.close()
