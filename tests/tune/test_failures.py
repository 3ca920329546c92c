"""A failed trial in TensorBoard."""

import subprocess
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

PROGRAM = """
import sys
from pathlib import Path
sys.modules["tensorflow"] = None  # as where it is not installed
from digitrec.tune.failures import log_failure
log_failure(Path(sys.argv[1]), {"lr": 0.5, "nesterov": True, "hidden": "[8]", "limit": None})
"""


def test_a_failed_trial_is_a_row_of_its_settings_also_without_tensorflow(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], timeout=120, check=True)
    rows = EventAccumulator(str(tmp_path)).Reload().summary_metadata
    start, end = (
        HParamsPluginData.FromString(rows[f"_hparams_/session_{name}_info"].plugin_data.content)
        for name in ("start", "end")
    )
    chosen = start.session_start_info.hparams
    assert (chosen["lr"].number_value, chosen["nesterov"].bool_value) == (0.5, True)
    assert (chosen["hidden"].string_value, chosen["limit"].string_value) == ("[8]", "null")
    assert end.session_end_info.status == STATUS_FAILURE
