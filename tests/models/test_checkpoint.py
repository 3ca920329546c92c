import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from digitrec.data.loader import BatchLoader
from digitrec.errors import CheckpointError
from digitrec.models.checkpoint import load_classifier
from digitrec.models.cnn import CNN
from digitrec.models.mlp import MLP
from digitrec.training.history import History
from digitrec.training.throughput import Throughput
from digitrec.weights import find_checkpoint
from tests.networks import quiet_trainer, saved

Data = tuple[Tensor, Tensor]
NAMES = ("un", "deux", "trois")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def trained(run_dir: Path, mlp: Callable[..., MLP], fit: Callable[..., Trainer]) -> MLP:
    """A network after one epoch, which left its checkpoint in `run_dir`."""
    model = mlp()
    model.describe_data(NAMES, (0.5,), (0.3,))
    checkpoint = ModelCheckpoint(run_dir / "checkpoints", filename="best", monitor="val/accuracy", mode="max")
    fit(model, enable_checkpointing=True, callbacks=[checkpoint, History(), Throughput()])
    return model.eval()


@pytest.fixture(scope="module")
def best(run_dir: Path, trained: MLP) -> Path:
    return find_checkpoint(run_dir)


@pytest.fixture
def content(best: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(best, weights_only=True)
    return loaded


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def refused(file: Path, message: str | None = None) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        load_classifier(file)
    assert str(caught.value).startswith(f"{file}: ")


# ---- what a training leaves


def test_a_checkpoint_holds_plain_values_only(content: dict[str, Any]) -> None:
    assert content["digitrec"] == {
        "format": 1,
        "network": "digitrec.models.mlp.MLP",
        "arguments": {"hidden": [8], "dropout": 0.0, "num_classes": 3, "in_channels": 1, "image_size": 6},
        "class_names": list(NAMES),
        "settings": {},
        "threshold": None,
    }


@pytest.mark.parametrize("as_text", [True, False])
def test_the_restored_classifier_is_the_trained_one(trained: MLP, best: Path, data: Data, as_text: bool) -> None:
    restored = load_classifier(str(best) if as_text else best)
    assert type(restored) is MLP
    assert not restored.training
    assert restored.class_names == NAMES
    assert torch.equal(restored(data[0]), trained(data[0]))


def test_networks_restore_with_all_their_settings(tmp_path: Path) -> None:
    model = CNN([4, 8], kernel_size=5, hidden=6, dropout=0.1, num_classes=4, in_channels=3, image_size=20).eval()
    saved(model, tmp_path / "cnn.ckpt")
    restored, images = load_classifier(tmp_path / "cnn.ckpt"), torch.rand(2, 3, 20, 20)
    assert dict(restored.hparams) == dict(model.hparams)
    assert torch.equal(restored(images), model(images))


# ---- which file it is


def test_a_run_folder_stands_for_its_best_checkpoint_else_its_last(tmp_path: Path) -> None:
    best, last = (tmp_path / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    last.parent.mkdir()
    last.touch()
    assert find_checkpoint(tmp_path) == last
    best.touch()
    assert find_checkpoint(str(tmp_path)) == best
    assert find_checkpoint(last) == last


def test_a_missing_checkpoint_is_an_error_that_names_the_place(tmp_path: Path) -> None:
    refused(tmp_path, "no checkpoint in this folder")
    refused(tmp_path / "none.ckpt", "no such file")


# ---- files that are none of ours


@pytest.mark.parametrize(
    "foreign",
    [{"a": 1}, [1, 2], torch.ones(3), {"digitrec": 5}, {"digitrec": {"format": 2}}, {"state_dict": {}}],
    ids=str,
)
def test_foreign_torch_files_are_refused(tmp_path: Path, foreign: object) -> None:
    torch.save(foreign, tmp_path / "foreign.ckpt")
    refused(tmp_path / "foreign.ckpt", "expected")


@pytest.mark.parametrize(
    "wrong",
    [
        {"arguments": {"hidden": [9]}},
        {"arguments": {"depth": 2}},
        {"arguments": None},
        {"class_names": None},
        {"class_names": [1, 2, 3]},
        {"class_names": ["a", "b", "a"]},
    ],
    ids=str,
)
def test_content_of_another_network_is_refused(tmp_path: Path, content: dict[str, Any], wrong: dict[str, Any]) -> None:
    content["digitrec"] |= wrong
    torch.save(content, tmp_path / "wrong.ckpt")
    refused(tmp_path / "wrong.ckpt", "does not fit MLP")


@pytest.mark.parametrize("missing", ["state_dict", "arguments", "class_names"])
def test_content_that_lacks_something_is_refused(tmp_path: Path, content: dict[str, Any], missing: str) -> None:
    (content if missing in content else content["digitrec"]).pop(missing)
    torch.save(content, tmp_path / "lacking.ckpt")
    refused(tmp_path / "lacking.ckpt", missing)


@given(st.binary(max_size=300))
@example(b"")
@example(b"Some text, not a checkpoint.\n")
@example(b"PK\x03\x04")
@example(b"\x80\x02}q\x00.")
@example(b"q\x01.")  # makes torch's reader raise an IndexError
def test_bytes_that_are_no_checkpoint_are_refused(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "junk.ckpt"
    file.write_bytes(junk)
    refused(file)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_truncated_checkpoint_is_refused(tmp_path: Path, content: dict[str, Any], zipped: bool) -> None:
    file = tmp_path / "cut.ckpt"
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    load_classifier(file)
    whole = file.read_bytes()
    for length in range(0, len(whole), len(whole) // 60):
        file.write_bytes(whole[:length])
        refused(file)


@pytest.mark.parametrize("wrong", [{}, {"fit_loop": {}}, {"fit_loop": 5}, 7], ids=str)
def test_a_checkpoint_without_a_place_to_go_on_from_is_refused(
    tmp_path: Path, content: dict[str, Any], wrong: object, mlp: Callable[..., MLP], data: Data
) -> None:
    torch.save(content | {"loops": wrong}, tmp_path / "lost.ckpt")
    loader = BatchLoader(*data, 16)
    with pytest.raises(CheckpointError, match="has no training state"):
        quiet_trainer(max_epochs=2).fit(mlp(), loader, loader, ckpt_path=tmp_path / "lost.ckpt")


# ---- files that mean harm


@pytest.mark.parametrize("hidden_in", ["state_dict", "digitrec", "callbacks"])
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, content: dict[str, Any], hidden_in: str) -> None:
    file, marker = tmp_path / "evil.ckpt", tmp_path / "marker"
    content[hidden_in] = Payload(marker)
    torch.save(content, file)
    refused(file, "plain values only")
    assert not marker.exists()
    torch.load(file, weights_only=False)
    assert marker.exists(), "the payload was none"


@pytest.mark.parametrize(
    ("network", "arguments"),
    [
        ("mlp.MLP", {"hidden": [10**6, 10**6]}),
        ("mlp.MLP", {"hidden": [10**30]}),
        ("cnn.CNN", {"filters": [8], "hidden": 10**8}),
        ("residual.ResidualCNN", {"stem": [1], "filters": [1], "blocks": [10**9]}),
        ("residual.ResidualCNN", {"stem": [10**5], "filters": [1], "blocks": [1]}),
        ("mlp.MLP", {"hidden": [1] * 300_000}),
        ("mlp.MLP", {"hidden": [1, 10**7], "image_size": 1}),
        ("mlp.MLP", {"num_classes": 10**9}),
        ("mlp.MLP", {"image_size": 10**5}),
        ("cnn.CNN", {"filters": [300_000], "kernel_size": 1}),
        ("cnn.CNN", {"filters": [1] * 300_000, "kernel_size": 1, "unpooled": 300_000}),
    ],
)
def test_a_network_larger_than_its_file_is_refused(
    tmp_path: Path, content: dict[str, Any], network: str, arguments: dict[str, Any]
) -> None:
    resource = pytest.importorskip("resource")
    content["digitrec"] |= {"network": f"digitrec.models.{network}", "arguments": arguments}
    torch.save(content, tmp_path / "vast.ckpt")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(tmp_path / "vast.ckpt", "does not fit")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**28 / 1024  # KiB on Linux, bytes elsewhere


def test_code_in_a_bare_pickle_is_not_run(tmp_path: Path) -> None:
    file, marker = tmp_path / "evil.ckpt", tmp_path / "marker"
    file.write_bytes(pickle.dumps(Payload(marker)))
    refused(file, "plain values only")
    assert not marker.exists()
    pickle.loads(file.read_bytes())  # noqa: S301
    assert marker.exists(), "the payload was none"


@pytest.mark.parametrize(
    "network",
    [
        "os.system",
        "torch.nn.Linear",
        "torch.nn.modules.linear.Linear",
        "digitrec.build.instantiate",
        "digitrec.models_of_others.Net",
        "digitrec.models.checkpoint.importlib",
        "digitrec.models.checkpoint.os.system",
        "digitrec.models.classifier.nn.Linear",
        "digitrec.models.classifier.LightningModule",
        "digitrec.models..cnn.CNN",
        "digitrec.models",
        "CNN",
        "",
    ],
)
def test_a_checkpoint_can_name_our_networks_only(tmp_path: Path, content: dict[str, Any], network: str) -> None:
    marker = tmp_path / "marker"
    content["digitrec"] |= {"network": network, "arguments": {"command": f"mkdir {marker}"}}
    torch.save(content, tmp_path / "evil.ckpt")
    refused(tmp_path / "evil.ckpt", "network")
    assert not marker.exists()


def test_a_module_of_a_persons_own_is_imported_only_if_allowed(
    tmp_path: Path, content: dict[str, Any], data: Data, trained: MLP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    marker, file = tmp_path / "marker", tmp_path / "own.ckpt"
    (tmp_path / "their_networks.py").write_text(
        f"import os\nfrom digitrec.models.mlp import MLP\n\nos.mkdir({str(marker)!r})\n\n\nclass Net(MLP):\n    pass\n"
    )
    content["digitrec"]["network"] = "their_networks.Net"
    torch.save(content, file)

    refused(file, "DIGITREC_ALLOW=their_networks")
    monkeypatch.setenv("DIGITREC_ALLOW", "their,their_network")  # a prefix of the name is another module
    refused(file, "DIGITREC_ALLOW=their,their_network,their_networks")
    assert not marker.exists()

    monkeypatch.setenv("DIGITREC_ALLOW", "others,their_networks")
    restored = load_classifier(file)
    assert type(restored).__name__ == "Net"
    assert torch.equal(restored(data[0]), trained(data[0]))
