from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from digitrec.tune.failures import log_failure


def test_a_failed_trial_has_its_row(tmp_path: Path) -> None:
    log_failure(tmp_path, {"optimizer.lr": 0.1, "model.hidden": "[8, 8]", "scheduler": None})
    found = EventAccumulator(str(tmp_path)).Reload().summary_metadata
    start, end = (
        HParamsPluginData.FromString(found[f"_hparams_/session_{side}_info"].plugin_data.content)
        for side in ("start", "end")
    )
    chosen = start.session_start_info.hparams
    assert chosen["optimizer.lr"].number_value == 0.1
    assert (chosen["model.hidden"].string_value, chosen["scheduler"].string_value) == ("[8, 8]", "None")
    assert end.session_end_info.status == STATUS_FAILURE
