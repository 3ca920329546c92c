"""A failed trial's row in TensorBoard's HParams tab; those that come to an end write their own."""

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from digitrec.tune.space import Value


def log_failure(folder: Path, settings: Mapping[str, Value]) -> None:
    """Write what a search chose for a trial, and that it failed, into the folder of its run."""
    # Here, since a search without failures needs none of it; not the plugin's own writers, which need TensorFlow.
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata
    from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    start = SessionStartInfo(start_time_secs=time.time())
    for name, value in settings.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            start.hparams[name].number_value = value
        else:
            start.hparams[name].string_value = str(value)
    rows = {
        metadata.SESSION_START_INFO_TAG: HParamsPluginData(session_start_info=start),
        metadata.SESSION_END_INFO_TAG: HParamsPluginData(session_end_info=SessionEndInfo(status=STATUS_FAILURE)),
    }
    summary = [Summary.Value(tag=tag, metadata=metadata.create_summary_metadata(row)) for tag, row in rows.items()]
    with suppress(OSError):  # of a full disk, which may be why it failed
        writer = EventFileWriter(str(folder))
        writer.add_event(Event(wall_time=time.time(), summary=Summary(value=summary)))
        writer.close()
