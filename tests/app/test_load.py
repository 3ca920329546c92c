"""The load script measures what it says; how quick a machine is passes or fails no test."""

import json
import subprocess

import pytest

from digitrec.config.schema import CONF_DIR


@pytest.mark.slow
def test_eight_people_draw_at_once_and_all_are_answered() -> None:
    command = [str(CONF_DIR.parent / "scripts" / "load"), "--seconds", "6", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    figures = json.loads(done.stdout)
    assert figures["clients"] == 8
    assert figures["answers_per_second"] > 8, "each one, again and again"
    assert 0 < figures["network_alone_p50_ms"] < figures["p50_ms"] <= figures["p99_ms"]
