"""`scripts/check` refuses a tree that breaks a rule."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from digitrec.config.schema import CONF_DIR

ROOT = CONF_DIR.parent


@pytest.mark.parametrize("line", ["import os\n", "x = {  }\n"], ids=["lint", "format"])
def test_a_fault_ends_the_check_where_it_is_found(line: str, tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/check", "pyproject.toml"):
        shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / "scripts" / "setup").symlink_to("/bin/true")  # the real one would clear an environment of another lock
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    (tmp_path / "module.py").write_text(f'"""A module."""\n\n{line}')
    checked = subprocess.run([tmp_path / "scripts" / "check"], capture_output=True, text=True)
    assert checked.returncode == 1
    assert checked.stdout.startswith("ruff ...\n")
    assert "module.py" in checked.stdout
    assert "mypy" not in checked.stdout
