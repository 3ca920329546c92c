"""The wheel, and the scripts of a fresh clone."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from digitrec.config.schema import CONF_DIR
from tests.command import only_run, read_json

ROOT = CONF_DIR.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_configuration(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    expected = {f"digitrec/conf/{file.relative_to(CONF_DIR)}" for file in CONF_DIR.rglob("*.yaml")}
    assert expected <= inside
    assert not any(name.startswith(("tests", "outputs")) for name in inside)


def test_the_wheel_holds_the_page_to_draw_on(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    page = ROOT / "digitrec" / "app" / "page"
    assert {str(file.relative_to(ROOT)) for file in page.iterdir()} <= inside


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    uv = str(Path(sys.executable).with_name("uv"))
    environment = tmp_path / "environment"
    subprocess.run([uv, "venv", "--python", sys.executable, str(environment)], check=True, capture_output=True)
    python = environment / "bin" / "python"
    install = [
        uv,
        "pip",
        "install",
        "--python",
        str(python),
        "--constraint",
        str(ROOT / "requirements.lock"),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True)
    train = [str(environment / "bin" / "digitrec-train"), "data=digits", "model=mlp", "trainer.max_epochs=1"]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(train, cwd=tmp_path, env=clean, check=True, capture_output=True, timeout=300)
    assert read_json(only_run(tmp_path) / "run.json")["status"] == "finished"
    sweep = [train[0], "--multirun", *train[1:], "seed=1,2"]
    subprocess.run(sweep, cwd=tmp_path, env=clean, check=True, capture_output=True, timeout=300)


def test_bash_completes_groups_and_options(tmp_path: Path) -> None:
    """The shell asks the program itself, so the answer is what a person sees on Tab."""
    line = "digitrec-train model="
    environment = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE": "1"}
    command = [sys.executable, "-m", "digitrec.train", "--shell-completion", "query=bash"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    networks = sorted(file.stem for file in (ROOT / "conf" / "model").iterdir())
    assert done.stdout.split() == [f"model={name}" for name in networks]


def test_outputs_exists_and_nothing_in_it_is_tracked() -> None:
    tracked = subprocess.run(["git", "ls-files", "outputs"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    assert tracked.stdout.split() == ["outputs/.gitkeep"]


def test_the_lock_file_has_hashes_and_names_no_host() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = [line for line in text.splitlines() if line[:1].isalnum()]
    assert all("==" in line and line.endswith("\\") for line in pins)
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text
