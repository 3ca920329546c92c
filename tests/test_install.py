"""The wheel, and the scripts of a fresh clone."""

import os
import sys
import zipfile
from pathlib import Path

import pytest

from digitrec.config.schema import CONF_DIR
from tests.command import only_run, read_json, run_command

ROOT = CONF_DIR.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = ("-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder))
    run_command(sys.executable, *build, cwd=ROOT, code=0)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_configuration_and_the_page_to_draw_on(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    configurations = {f"digitrec/conf/{file.relative_to(CONF_DIR)}" for file in CONF_DIR.rglob("*.yaml")}
    page = {str(file.relative_to(ROOT)) for file in (ROOT / "digitrec" / "app" / "static").iterdir()}
    assert configurations | page <= inside
    assert not any(name.startswith(("tests", "outputs")) for name in inside)


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    uv = str(Path(sys.executable).with_name("uv"))
    environment = tmp_path / "environment"
    run_command(uv, "venv", "--python", sys.executable, str(environment), code=0)
    python = environment / "bin" / "python"
    lock = str(ROOT / "requirements.lock")
    run_command(uv, "pip", "install", "--python", str(python), "--constraint", lock, str(wheel), code=0)
    train = [str(environment / "bin" / "digitrec-train"), "data=digits", "model=mlp", "trainer.max_epochs=1"]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run_command(*train, cwd=tmp_path, env=clean, code=0, timeout=300)
    assert read_json(only_run(tmp_path) / "run.json")["status"] == "finished"
    run_command(*train, "--multirun", "seed=1,2", cwd=tmp_path, env=clean, code=0, timeout=300)


def test_bash_completes_groups_and_options(tmp_path: Path) -> None:
    """The shell asks the program itself, so the output is what Tab shows."""
    line = "digitrec-train model="
    environment = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE": "1"}
    query = ("-m", "digitrec.train", "--shell-completion", "query=bash")
    outcome = run_command(sys.executable, *query, cwd=tmp_path, env=environment, timeout=60, code=0)
    networks = sorted(file.stem for file in (ROOT / "conf" / "model").iterdir())
    assert outcome.out.split() == [f"model={name}" for name in networks]


def test_outputs_exists_and_nothing_in_it_is_tracked() -> None:
    tracked = run_command("git", "ls-files", "outputs", cwd=ROOT)
    if tracked.code:
        pytest.skip("not a git checkout")
    assert tracked.out.split() == ["outputs/.gitkeep"]


def test_the_lock_file_has_hashes_and_names_no_host() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = [line for line in text.splitlines() if line[:1].isalnum()]
    assert all("==" in line and line.endswith("\\") for line in pins)
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text
