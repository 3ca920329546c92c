"""Write a trained network for use elsewhere: python -m digitrec.export --format onnx -o digits.onnx."""

from __future__ import annotations

import argparse
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from digitrec.errors import UsageError, needs_extra
from digitrec.export import NETWORK
from digitrec.run_folder import named_network
from digitrec.system.terminal import Parser, end_with
from digitrec.system.wording import shown

if TYPE_CHECKING:  # torch takes seconds to import, and a wrong argument shall not wait for it
    from digitrec.export.check import Agreement
    from digitrec.export.trained import Trained

FORMATS = ("onnx", "torch", "web")
SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}
NEEDED = ("onnx", "onnxruntime", "onnxscript")  # by --format onnx
INPUTS = ("uint8", "float")


def main() -> None:
    """Entry point of the command line.

    Raises:
        SystemExit: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    parser = Parser(prog="python -m digitrec.export", description=__doc__)
    parser.add_argument("--checkpoint", help="run folder, .ckpt or .safetensors file; default: the shipped weights")
    parser.add_argument(
        "--format", required=True, choices=FORMATS, help="a .onnx file, a torch.export program (.pt2), a folder to host"
    )
    parser.add_argument(
        "--input", choices=INPUTS, help="images as bytes, or as float32 in [0, 1] (default: uint8); not for web"
    )
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="PATH", help="file or folder to write")
    arguments = parser.parse_args()
    end_with(lambda: _export(arguments))


def _export(arguments: argparse.Namespace) -> None:
    _check(arguments.format, arguments.input, arguments.output)
    arguments.checkpoint = named_network(arguments.checkpoint)
    from digitrec.export.trained import open_trained
    from digitrec.weights import HANDWRITING

    trained = open_trained(arguments.checkpoint or HANDWRITING)
    print(f"{trained.name}, classes {' '.join(trained.classifier.class_names)}", flush=True)  # noqa: T201
    agreement = _write(arguments.format, arguments.input or INPUTS[0], arguments.output, trained)
    size = _size(arguments.output)
    print(f"{shown(arguments.output)}: {size:,} bytes, checked against torch on {agreement}.")  # noqa: T201


def _check(kind: str, input_type: str | None, output: Path) -> None:
    if kind == "web":
        if input_type is not None:
            raise UsageError(f"--input {input_type}: the page draws its images itself; leave this out")
        if output.is_file():
            raise UsageError(f"{output} is a file, expected a folder to write")
        _check_folder(output)
        return
    if kind == "onnx" and not all(map(find_spec, NEEDED)):
        raise UsageError(needs_extra("--format onnx", "onnx"))
    suffix = SUFFIXES[kind]
    if output.suffix != suffix or output.is_dir():
        raise UsageError(f"{output}: expected the name of a file, {output.with_suffix(suffix).name} for example")


def _check_folder(output: Path) -> None:
    """Refuse a folder in which files of ours would come between, or over, somebody else's."""
    names = {file.name for file in output.iterdir() if file.name[0] != "."} if output.is_dir() else set()
    if names and NETWORK not in names:
        raise UsageError(f"{output} holds {min(names)}, and no earlier export; next: -o with a new or an empty folder")


def _write(kind: str, input_type: str, output: Path, trained: Trained) -> Agreement:
    from digitrec.export.check import write_checked

    if kind == "web":
        from digitrec.export import web_page

        return web_page.write(trained, output)
    from digitrec.export import onnx_graph, torch_program

    written = {"onnx": onnx_graph, "torch": torch_program}[kind]
    write = partial(written.write, trained, input_type=input_type)
    return write_checked(output, write, partial(written.opened, input_type=input_type), trained)


def _size(output: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = [output] if output.is_file() else output.iterdir()
    return sum(file.stat().st_size for file in files if file.is_file())


if __name__ == "__main__":
    main()
