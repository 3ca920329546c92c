import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from digitrec import Recognizer
from digitrec.errors import CheckpointError, DigitrecError, UsageError, needs_extra
from digitrec.export import check, onnx_graph, torch_program
from digitrec.export.trained import Probabilities, Trained, open_trained
from digitrec.models.checkpoint_file import read_portable
from digitrec.models.classifier import DigitClassifier
from digitrec.recognition.networks.onnx import OnnxNetwork
from digitrec.recognition.networks.opening import open_network
from digitrec.weights import HANDWRITING
from tests.command import Command
from tests.export.networks import made
from tests.handwriting.situations import file
from tests.networks import saved

Read = Callable[[Tensor], Tensor]
ROOT = Path(check.__file__).parents[2]
IMAGES = torch.randint(256, (257, 1, 28, 28), generator=torch.Generator().manual_seed(1)).byte()


def expected(trained: Trained, images: Tensor) -> Tensor:
    with torch.inference_mode():
        probabilities: Tensor = Probabilities(trained.classifier)(images)
    return probabilities


def assert_same(read: Read, checkpoint: Path) -> None:
    """Batches of any size give what the network gives."""
    trained = open_trained(checkpoint)
    for count in (1, 2, 3, 257):
        assert torch.allclose(read(IMAGES[:count]), expected(trained, IMAGES[:count]), atol=1e-5)


def run_onnx(file: Path, input_type: str) -> Read:
    """The file as others read it: onnxruntime's own defaults, nothing of ours."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def read(images: Tensor) -> Tensor:
        given = images if input_type == "uint8" else images / 255
        return torch.from_numpy(session.run(["probabilities"], {"images": given.numpy()})[0])

    return read


def run_torch(file: Path, input_type: str) -> Read:
    """The file as others read it."""
    extra = {"digitrec": "", "card": ""}
    program = torch.export.load(file, extra_files=extra).module()
    assert json.loads(extra["digitrec"])["class_names"] == list("0123456789")
    return lambda images: program(images if input_type == "uint8" else images / 255)


@pytest.mark.parametrize(
    ("kind", "name", "input_type", "run"),
    [
        ("mlp", "it.onnx", "float", run_onnx),
        ("residual", "it.onnx", "uint8", run_onnx),
        ("cnn_unpooled", "it.pt2", "uint8", run_torch),
        ("residual_places", "it.pt2", "float", run_torch),
    ],
)
def test_a_file_answers_as_the_network_does(
    kind: str, name: str, input_type: str, run: Callable[[Path, str], Read], run_export: Command, tmp_path: Path
) -> None:
    checkpoint, written = saved(made(kind), tmp_path / "network.ckpt"), tmp_path / "new" / name
    chosen = f"--format={'onnx' if run is run_onnx else 'torch'}"
    outcome = run_export("--checkpoint", "network.ckpt", chosen, f"--input={input_type}", "-o", f"new/{name}")
    assert outcome.code == 0, outcome.err
    assert "300 digits written by rule: 0 changed predictions" in outcome.out
    assert list(written.parent.iterdir()) == [written]
    assert_same(run(written, input_type), checkpoint)
    if run is run_onnx:
        network = open_network(written)
        assert_same(lambda images: torch.from_numpy(network(images[:, 0].numpy())), checkpoint)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped weights as ONNX."""
    path = tmp_path_factory.mktemp("shipped") / "digits.onnx"
    onnx_graph.write(open_trained(HANDWRITING), path, "uint8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [("onnx", "digits.onnx"), ("torch", "digits.pt2"), ("web", "page")])
def test_the_weights_in_the_box_are_exported_by_default(kind: str, name: str, tmp_path: Path) -> None:
    """As a person does it, on MNIST's test images where they are at hand."""
    command = [sys.executable, "-m", "digitrec.export", f"--format={kind}", "-o", name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"CNN, classes 0 1 2 3 4 5 6 7 8 9\n{name}: ")
    assert "0 changed predictions" in done.stdout
    assert "on 10,000 test images of mnist" in done.stdout or "on 5,000 digits written by rule" in done.stdout


def test_all_that_is_known_of_the_network_is_in_the_file(shipped: Path) -> None:
    metadata = {item.key: json.loads(item.value) for item in onnx.load(shipped).metadata_props}
    weights = read_portable(HANDWRITING)
    assert metadata == {"digitrec": weights["digitrec"], "card": weights["card"]}
    assert metadata["digitrec"]["class_names"] == list("0123456789")


def test_the_file_says_nothing_of_where_it_was_made(shipped: Path) -> None:
    content = shipped.read_bytes()
    for trace in (ROOT, Path(torch.__file__).parents[1], Path.home(), ".py"):
        assert str(trace).encode() not in content


def test_the_file_is_read_like_the_weights(shipped: Path) -> None:
    ours, theirs = Recognizer(), Recognizer(shipped)
    for label in (2, 5, 8):
        readings = [recognizer.read(file(label, "mouse", 7)) for recognizer in (ours, theirs)]
        assert [reading.label for reading in readings] == [str(label)] * 2
        assert readings[0].probabilities == pytest.approx(readings[1].probabilities, abs=1e-5)


def test_the_documented_way_without_digitrec_works(shipped: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "EXPORT.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    shutil.copy(shipped, tmp_path / "digits.onnx")
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=240)
    assert done.stdout == "['1', '7']\n"


def test_torch_is_not_imported_for_it(shipped: Path, tmp_path: Path) -> None:
    (tmp_path / "three.png").write_bytes(file(3, "mouse", 7))
    program = (
        "import sys; from digitrec import predict\n"
        "try: predict.main()\n"
        "except SystemExit as stop: print(stop.code, [name for name in ('torch', 'lightning') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program, "three.png", "--checkpoint", str(shipped)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout.split()[:2] == ["3", "three.png"]
    assert done.stdout.endswith("0 []\n")
    assert done.stderr == ""


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime", "onnxscript"])
def test_without_the_extra_there_is_one_line_of_help(
    missing: str, run_export: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(made("mlp"), tmp_path / "network.ckpt")
    (tmp_path / "it.onnx").write_bytes(graph())
    monkeypatch.setitem(sys.modules, missing, None)
    outcome = run_export("--checkpoint=network.ckpt", "--format=onnx", "-o", "other.onnx")
    assert outcome == (2, "", f"error: {needs_extra('--format onnx', 'onnx')}\n")
    assert not (tmp_path / "other.onnx").exists()
    if missing != "onnxscript":  # only the exporter needs that
        with pytest.raises(UsageError, match=r"it.onnx needs the extra onnx: .* 'onnx>="):
            Recognizer(tmp_path / "it.onnx")


def test_as_many_threads_as_were_asked_for(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert OnnxNetwork(shipped)._session.get_session_options().intra_op_num_threads == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert 1 <= OnnxNetwork(shipped)._session.get_session_options().intra_op_num_threads <= 4


def test_a_file_that_reads_differently_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_images", lambda data: (IMAGES, "noise"))
    trained = open_trained(saved(made("mlp"), tmp_path / "network.ckpt"))
    (tmp_path / "it.bin").write_text("an earlier one", encoding="utf-8")

    def opened(by: Callable[[Tensor], Tensor]) -> Callable[[Path], Read]:
        return lambda path: lambda images: by(expected(trained, images))

    for wrong in (lambda found: found.roll(1, dims=1), lambda found: found * 0.999, lambda found: found * torch.nan):
        with pytest.raises(DigitrecError, match="nothing was written"):
            check.write_checked(tmp_path / "it.bin", Path.touch, opened(wrong), trained)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["it.bin", "network.ckpt"]
    assert (tmp_path / "it.bin").read_text(encoding="utf-8") == "an earlier one"
    agreed = check.write_checked(tmp_path / "it.bin", Path.touch, opened(lambda found: found + 1e-5), trained)
    assert str(agreed) == "257 noise: 0 changed predictions, greatest difference 1.0e-05"
    assert (tmp_path / "it.bin").read_bytes() == b""


class Fickle(DigitClassifier):
    """Computes what no graph can hold."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :10].float() * (1 if images.sum() > 7 else -1)


@pytest.mark.parametrize("write", [onnx_graph.write, torch_program.write])
def test_a_network_that_no_graph_can_hold_is_named(write: Callable[..., None], tmp_path: Path) -> None:
    trained = Trained(Fickle().eval(), {"digitrec": "{}", "card": "{}"})
    with pytest.raises(DigitrecError, match=r"^Fickle cannot be written in this format: .+$"):
        check.write_checked(tmp_path / "it", partial(write, trained, input_type="uint8"), Path, trained)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--format=onnx", "-o", "it.pt2"), "it.pt2: expected the name of a file, it.onnx for example"),
        (("--format=torch", "-o", "folder.pt2"), "folder.pt2: expected the name of a file"),
        (("--format=web", "--input=float", "-o", "page"), "--input float: the page draws its images itself"),
        (("--format=web", "--checkpoint=nope", "-o", "page"), "nope: no such file; expected a run folder"),
        (("--format=web", "-o", "taken"), "taken is a file, expected a folder"),
        (("--format=web", "-o", "site"), "site holds index.html, and no earlier export; next: -o with a new or an"),
        (("--format=web", "--checkpoint=it.onnx", "-o", "page"), "it.onnx: exported already; give the run folder"),
    ],
)
def test_a_wrong_command_is_named(arguments: tuple[str, ...], reason: str, run_export: Command, tmp_path: Path) -> None:
    (tmp_path / "folder.pt2").mkdir()
    (tmp_path / "site").mkdir()
    for name in ("taken", "it.onnx", "site/index.html"):
        (tmp_path / name).touch()
    outcome = run_export(*arguments)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert reason in outcome.err


def test_a_place_that_cannot_be_written_is_named(run_export: Command, tmp_path: Path) -> None:
    saved(made("mlp"), tmp_path / "network.ckpt")
    (tmp_path / "taken").touch()
    outcome = run_export("--checkpoint=network.ckpt", "--format=torch", "-o", "taken/it.pt2")
    assert (outcome.code, outcome.err) == (1, "error: taken/it.pt2 cannot be written: File exists\n")


def graph(
    shape: list[Any] | None = None,
    element: int = TensorProto.FLOAT,
    classes: int = 10,
    metadata: dict[str, str] | None = None,
    activation: str = "Softmax",
    change: Callable[[onnx.ModelProto], None] = lambda model: None,
) -> bytes:
    """A small network in ONNX, right but for what is asked for."""
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [784, classes], [0.01] * 784 * classes)
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["floats", "flat"], ["rows"]),
        helper.make_node("MatMul", ["rows", "weights"], ["logits"]),
        helper.make_node(activation, ["logits"], ["probabilities"]),
    ]
    images = helper.make_tensor_value_info("images", element, shape or ["N", 1, 28, 28])
    flat = helper.make_tensor("flat", TensorProto.INT64, [2], [-1, 784])
    answer = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["M", classes])
    made = helper.make_graph(nodes, "network", [images], [answer], [weights, flat])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    about = json.dumps({"class_names": list("0123456789")})
    helper.set_model_props(model, {"digitrec": about} if metadata is None else metadata)
    change(model)
    return bytes(model.SerializeToString())


def external(location: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        weights = model.graph.initializer[0]
        weights.ClearField("float_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=location)

    return change


def stowed(put: Callable[[onnx.ModelProto, TensorProto], object]) -> Callable[[onnx.ModelProto], None]:
    """A tensor of a file beside, where `put` puts it."""

    def change(model: onnx.ModelProto) -> None:
        tensor = TensorProto(name="stowed", data_type=TensorProto.FLOAT, dims=[10], data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value="outside")
        put(model, tensor)

    return change


def constant(**attribute: Any) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["extra"], **attribute)


def sparse(values: TensorProto) -> onnx.SparseTensorProto:
    indices = helper.make_tensor("at", TensorProto.INT64, [10], range(10))
    return onnx.SparseTensorProto(values=values, indices=indices, dims=[7840])


PLACES: dict[str, Callable[[onnx.ModelProto, TensorProto], object]] = {
    "value": lambda model, tensor: model.graph.node.append(constant(value=tensor)),
    "sparse_value": lambda model, tensor: model.graph.node.append(constant(sparse_value=sparse(tensor))),
    "sparse_initializer": lambda model, tensor: model.graph.sparse_initializer.append(sparse(tensor)),
    "sparse tensors": lambda model, tensor: model.graph.node.append(constant(all=[sparse(tensor)])),
    "a function": lambda model, tensor: model.functions.add(name="f").node.append(constant(value=tensor)),
    "a graph within": lambda model, tensor: model.graph.node.append(
        constant(body=helper.make_graph([], "body", [], [], [tensor]))
    ),
    "training": lambda model, tensor: model.training_info.add().initialization.initializer.append(tensor),
}


def endless(model: onnx.ModelProto) -> None:
    """A loop of 2**62 rounds."""
    flags = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("on", "still")]
    turn = helper.make_tensor_value_info("turn", TensorProto.INT64, [])
    body = helper.make_graph([helper.make_node("Identity", ["on"], ["still"])], "body", [turn, flags[0]], flags[1:])
    rounds = numpy_helper.from_array(torch.tensor(2**62).numpy(), "rounds")
    model.graph.initializer.append(rounds)
    model.graph.node.insert(0, helper.make_node("Loop", ["rounds", ""], [], body=body))


HOSTILE = {
    "an empty file": (b"", "an empty file"),
    "another file": (b"<html>no network</html>", "not a network"),
    "a file cut short": (graph()[:3000], "not a network"),
    "no metadata": (graph(metadata={}), "no description of its classes"),
    "metadata that are no JSON": (graph(metadata={"digitrec": "{"}), "not a network"),
    "too deep metadata": (graph(metadata={"digitrec": "[" * 100_000}), "not a network"),
    "no class names": (graph(metadata={"digitrec": '{"class_names": 10}'}), "two or more different texts"),
    "classes of one name": (graph(metadata={"digitrec": json.dumps({"class_names": ["a"] * 10})}), "different texts"),
    "one class": (graph(classes=1, metadata={"digitrec": '{"class_names": ["a"]}'}), "two or more different texts"),
    "a wrong threshold": (
        graph(metadata={"digitrec": '{"class_names": ["a", "b"], "threshold": 7}'}),
        "threshold is 7",
    ),
    "another number of classes": (graph(classes=9), "expected (2, 10)"),
    "larger images": (graph(shape=["N", 1, 64, 64]), "expected images of shape ['N', 1, 28, 28]"),
    "coloured images": (graph(shape=["N", 3, 28, 28]), "expected images of shape ['N', 1, 28, 28]"),
    "one image at a time": (graph(shape=[1, 1, 28, 28]), "expected images of shape ['N', 1, 28, 28]"),
    "images of doubles": (graph(element=TensorProto.DOUBLE), "images of tensor(double)"),
    "no probabilities": (graph(activation="Identity"), "no probabilities"),
    "weights in a file outside": (graph(change=external("../outside")), "weights in other files"),
    "weights in a file beside": (graph(change=external("outside")), "weights in other files"),
    "weights in a file of the system": (graph(change=external("/etc/passwd")), "weights in other files"),
    **{
        f"weights in a file beside, in {place}": (
            graph(change=stowed(put)),
            "weights in other files" if place == "value" else "Proto within its graph",
        )
        for place, put in PLACES.items()
    },
    "a loop without end": (graph(change=endless), "a GraphProto within its graph"),
}


def test_the_made_graph_is_a_network_but_for_what_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "it.onnx").write_bytes(graph())
    assert open_network(tmp_path / "it.onnx")(IMAGES[:3, 0].numpy()).shape == (3, 10)


@pytest.mark.parametrize("fault", HOSTILE)
def test_a_file_of_unknown_origin_gives_one_line(fault: str, tmp_path: Path) -> None:
    content, reason = HOSTILE[fault]
    for place in (tmp_path / "outside", tmp_path / "folder" / "outside"):
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(bytes(4 * 7840))
    path = tmp_path / "folder" / "it.onnx"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as stop:
        Recognizer(path)
    assert reason in str(stop.value)
    assert str(stop.value).startswith(str(path))
    assert "\n" not in str(stop.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        Recognizer(tmp_path / "it.onnx")
