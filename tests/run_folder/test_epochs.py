from itertools import pairwise
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from digitrec.run_folder.epochs import HISTORY, Row, progress, read_epochs, write_epochs
from digitrec.run_folder.run import Run


def write(folder: Path, epochs: range, loss: float = 1.0) -> None:
    """Events of a training with 5 steps per epoch, as Lightning writes them."""
    with SummaryWriter(str(folder)) as writer:
        for epoch in epochs:
            writer.add_scalar("train/loss_step", 9.0, 5 * epoch + 2)
            writer.add_scalar("epoch", epoch, 5 * epoch + 2)
            for name, value in {"train/loss": loss / (epoch + 1), "val/accuracy": epoch / 10, "epoch": epoch}.items():
                writer.add_scalar(name, value, 5 * epoch + 4)


def record_ends(content: bytes) -> list[int]:
    """Where each record ends: behind its length, the length's checksum, its content and that one's checksum."""
    ends = [0]
    while ends[-1] < len(content):
        ends.append(ends[-1] + 16 + int.from_bytes(content[ends[-1] : ends[-1] + 8], "little"))
    return ends[1:]


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [{"epoch": 1.0, "train/loss": 0.1 + 0.2}, {"epoch": 2.0, "train/loss": 1e-9, "val/loss": 2.0}]
    for count in range(3):
        write_epochs(tmp_path, rows[:count])
        assert repr(read_epochs(tmp_path)) == repr(rows[:count])


@pytest.mark.parametrize("content", ["epoch,lr\n1,fast\n", "epoch\n1,2\n", "\xff"])
def test_a_damaged_history_gives_way_to_the_events(content: str, tmp_path: Path) -> None:
    write(tmp_path, range(2))
    rows = read_epochs(tmp_path)
    (tmp_path / HISTORY).write_text(content, encoding="latin-1")
    assert read_epochs(tmp_path) == rows


def test_epochs_are_what_tensorboard_shows(tmp_path: Path) -> None:
    write(tmp_path, range(4))
    rows = read_epochs(tmp_path)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    events = EventAccumulator(str(tmp_path)).Reload()
    for name in ("train/loss", "val/accuracy"):
        assert [row[name] for row in rows] == [event.value for event in events.Scalars(name)]


def test_what_was_written_again_counts_in_its_last_form(tmp_path: Path) -> None:
    write(tmp_path, range(3), loss=5.0)
    (first,) = tmp_path.iterdir()
    first.rename(tmp_path / "events.out.tfevents.0")  # a process of its own would have another name
    write(tmp_path, range(2, 4))
    assert [row["train/loss"] for row in read_epochs(tmp_path)] == pytest.approx([5.0, 2.5, 1 / 3, 0.25])


def test_a_file_that_breaks_off_is_read_up_to_there(tmp_path: Path) -> None:
    write(tmp_path, range(4))
    (file,) = tmp_path.iterdir()
    whole, rows = file.read_bytes(), read_epochs(tmp_path)
    ends = record_ends(whole)
    assert len(ends) == 1 + 4 * 5  # the file's version, then five scalars an epoch

    def read(length: int) -> list[Row]:
        file.write_bytes(whole[:length])
        return read_epochs(tmp_path)

    assert [read(ends[5 * epoch]) for epoch in range(5)] == [rows[:epoch] for epoch in range(5)]
    for end, following in pairwise(ends):
        assert read(end) == read(end + 1) == read(end + 11) == read(following - 1)
    assert read(ends[0] - 1) == read(0) == []


def test_a_file_with_a_flipped_bit_is_read_up_to_there(tmp_path: Path) -> None:
    write(tmp_path, range(4))
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for start, end in pairwise([0, *record_ends(whole)]):
        file.write_bytes(whole[:start])
        before = read_epochs(tmp_path)
        for place in range(start, end, 7):  # each part of a record, and each bit
            damaged = bytearray(whole)
            damaged[place] ^= 1 << place % 8
            file.write_bytes(damaged)
            assert read_epochs(tmp_path) == before


def test_progress_is_epochs_of_epochs(tmp_path: Path) -> None:
    run = Run(tmp_path, "running", settings={"trainer.max_epochs": 10})
    assert progress(run).epochs == "0/10"
    write(tmp_path, range(3))
    assert progress(run).epochs == "3/10"
    assert progress(Run(tmp_path, "running")).epochs == "3"
    assert progress(Run(tmp_path / "nowhere", "running")).epochs == ""
