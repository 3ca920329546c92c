import re
from collections.abc import Callable
from pathlib import Path

import pytest
from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from digitrec.data.datamodule import DigitDataModule
from digitrec.models.cnn import CNN
from digitrec.models.mlp import MLP
from digitrec.training.history import History
from digitrec.training.progress import LayerTable, TrainingProgress
from digitrec.training.throughput import Throughput

Make = Callable[..., Trainer]
Digits = Callable[[], DigitDataModule]
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def show(trainer: Make, mlp: Callable[..., MLP], digits: Digits, capsys: Captured) -> Callable[..., list[str]]:
    """Lines that a training prints."""

    def run(*callbacks: object, ckpt_path: str | None = None, refresh_rate: int = 20, **settings: object) -> list[str]:
        made = trainer(callbacks=[TrainingProgress(refresh_rate), *callbacks], enable_progress_bar=True, **settings)
        capsys.readouterr()
        made.fit(mlp(), digits(), ckpt_path=ckpt_path, weights_only=True)
        return capsys.readouterr().out.splitlines()

    return run


def test_each_epoch_is_one_line_with_its_own_figures(show: Callable[..., list[str]]) -> None:
    history = History()
    lines = show(history, Throughput())
    for number, (line, row) in enumerate(zip(lines, history.epochs, strict=True), start=1):
        expected = (
            f"epoch {number}/3  train loss {row['train/loss']:.4f}  val loss {row['val/loss']:.4f}  "
            f"val accuracy {row['val/accuracy']:.2%}  {row['train/images_per_second']:,.0f} images/s  "
        )
        assert line.startswith(expected)
        assert re.fullmatch(r"\d+ s", line.removeprefix(expected))


def test_what_is_not_measured_is_left_out(show: Callable[..., list[str]]) -> None:
    (line,) = show(max_epochs=1, limit_val_batches=0)
    assert re.fullmatch(r"epoch 1/1  train loss \d\.\d{4}  \d+ s", line)


def test_a_training_that_steps_end_does_not_say_of_how_many_epochs(show: Callable[..., list[str]]) -> None:
    assert [line.split("  ")[0] for line in show(max_epochs=-1, max_steps=5)] == ["epoch 1", "epoch 2"]


def test_a_resumed_training_prints_only_its_own_epochs(show: Callable[..., list[str]], tmp_path: Path) -> None:
    show(ModelCheckpoint(tmp_path, filename="last"), max_epochs=2, enable_checkpointing=True)
    lines = show(max_epochs=4, ckpt_path=str(tmp_path / "last.ckpt"))
    assert [line.split("  ")[0] for line in lines] == ["epoch 3/4", "epoch 4/4"]


def test_disabled_progress_prints_nothing(
    trainer: Make, mlp: Callable[..., MLP], digits: Digits, capsys: Captured
) -> None:
    progress = TrainingProgress()
    for switch, printed in ((progress.disable, 0), (progress.enable, 1)):
        run = trainer(callbacks=[progress], enable_progress_bar=True, max_epochs=1)
        switch()
        capsys.readouterr()
        run.fit(mlp(), digits())
        assert len(capsys.readouterr().out.splitlines()) == printed


def test_a_terminal_gets_a_bar_over_the_batches_of_the_run_and_the_same_lines(
    show: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")  # what makes rich believe in a terminal
    screen = "\n".join(show(max_epochs=2, refresh_rate=1))
    assert re.findall(r"epoch \d/2  train loss", screen) == ["epoch 1/2  train loss", "epoch 2/2  train loss"]
    assert "/6" in screen
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h") > 0, "the cursor stayed hidden"


@pytest.mark.parametrize(
    ("depth", "names"),
    [
        (1, ["features", "head"]),
        (2, ["features.0", "features.3", "head.1", "head.4"]),
        (9, ["features.0", "features.3", "head.1", "head.4"]),
    ],
)
def test_the_table_counts_every_parameter_once(trainer: Make, capsys: Captured, depth: int, names: list[str]) -> None:
    LayerTable(depth).on_fit_start(trainer(), CNN())
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [name for name, _, _ in rows] == names
    assert sum(int(count.replace(",", "")) for _, _, count in rows) == 225_034
