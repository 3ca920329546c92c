"""A folder that reads digits in the browser: the app's page with a reader that needs no server."""

import hashlib
import json
import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path

from digitrec.errors import DigitrecError
from digitrec.export import NETWORK, web_network
from digitrec.export.check import Agreement, write_checked
from digitrec.export.one_script import one_script
from digitrec.export.trained import Trained

PAGE = Path(__file__).parent.parent / "app" / "static"  # its reader.js, for the app's server, is replaced
READER = Path(__file__).parent / "web"
HEAD = '<link rel="manifest" href="page.webmanifest">\n<script src="from-file.js" defer></script>\n</head>'
WORKER = "service-worker.js"
KEPT = "kept.js"  # the files that the service worker keeps, and their version
ONE = "all-in-one.js"  # for a page that is opened straight from a file


def write(trained: Trained, folder: Path) -> Agreement:
    """Write the folder once the network in it agrees with torch; other files in it stay.

    Raises:
        UsageError: the network has layers that the browser's reader lacks.
        DigitrecError: the folder can't be written, or the network in it reads differently.
    """
    try:
        agreed = write_checked(folder / NETWORK, partial(web_network.write, trained), web_network.opened, trained)
        files = [NETWORK, *_copy(PAGE, folder), *_copy(READER, folder)]
        index = folder / "index.html"
        index.write_text(index.read_text("utf-8").replace("</head>", HEAD), encoding="utf-8")
        (folder / ONE).write_text(one_script(folder, "main.js", folder / NETWORK), encoding="utf-8")
        kept = json.dumps(_kept(folder, sorted({*files} - {WORKER})))
        (folder / KEPT).write_text(f"self.KEPT = {kept};\n", encoding="utf-8")
    except OSError as error:
        raise DigitrecError(f"{folder} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            folder.rmdir()  # if nothing is in it
    return agreed


def _copy(source: Path, folder: Path) -> list[str]:
    """Copy all files; returns their names."""
    names = [file.name for file in source.iterdir() if file.is_file()]
    for name in names:
        shutil.copyfile(source / name, folder / name)
    return names


def _kept(folder: Path, files: list[str]) -> dict[str, object]:
    digest = hashlib.sha256()
    for name in files:
        digest.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return {"version": digest.hexdigest()[:16], "files": ["./", *files]}
