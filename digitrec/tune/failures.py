"""The row of a failed trial in TensorBoard's HParams tab; other trials write their own."""

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from digitrec.run_folder.settings import spelled
from digitrec.tune.space import Value


def log_failure(folder: Path, settings: Mapping[str, Value]) -> None:
    """Write the settings of a trial, and that it failed, into the folder of its run."""
    # Here, since a search without failures needs none of it. The plugin's own summary.py would import TensorFlow.
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata
    from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    now = time.time()
    start = SessionStartInfo(start_time_secs=now)
    for name, value in settings.items():
        match value:
            case bool():
                start.hparams[name].bool_value = value
            case int() | float():
                start.hparams[name].number_value = value
            case _:
                start.hparams[name].string_value = spelled(value)
    end = SessionEndInfo(end_time_secs=now, status=STATUS_FAILURE)
    with suppress(OSError):  # of a full disk, which may be why it failed
        writer = EventFileWriter(str(folder))
        for tag, data in (
            (metadata.SESSION_START_INFO_TAG, HParamsPluginData(session_start_info=start)),
            (metadata.SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=end)),
        ):
            about = metadata.create_summary_metadata(data)
            row = Summary.Value(tag=tag, tensor=metadata.NULL_TENSOR, metadata=about)
            writer.add_event(Event(wall_time=now, summary=Summary(value=[row])))
        writer.close()
