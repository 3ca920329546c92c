"""The page's modules and its network as one classic script, for a page that is opened straight from a file.

From a file, browsers run classic scripts, but load neither modules nor other files.
"""

import base64
import re
from pathlib import Path

IMPORT = re.compile(
    r'^import (?:\* as (?P<all>\w+)|(?P<some>\{[^}]+\})) from "\./(?P<file>[\w-]+\.js)";$', re.MULTILINE
)
EXPORT = re.compile(r"^export (?=(?:const|class|(?:async )?function) (?P<name>\w+))", re.MULTILINE)


def one_script(folder: Path, first: str, network: Path) -> str:
    """A script that does what the modules do.

    Args:
        folder: of the modules; they import one another by lines of one form, `import {...} from "./x.js";` or
            `import * as x from "./x.js";`, and export what they declare.
        first: name of the one that imports, directly or not, all others.
        network: file that the script holds instead of reading it.
    """
    content = base64.b64encode(network.read_bytes()).decode()
    return f'"use strict";\nself.NETWORK = "{content}";\nconst modules = {{}};\n' + "".join(
        _scopes(folder, first, {}).values()
    )


def _scopes(folder: Path, name: str, done: dict[str, str]) -> dict[str, str]:
    """Each module as a function's scope, after all that it imports."""
    text = (folder / name).read_text("utf-8").replace("import.meta.url", "document.baseURI")
    for imported in IMPORT.finditer(text):
        if imported["file"] not in done:
            _scopes(folder, imported["file"], done)
    exported = ", ".join(found["name"] for found in EXPORT.finditer(text))
    body = EXPORT.sub("", IMPORT.sub(_lookup, text))
    done[name] = f'modules["{name}"] = (() => {{\n{body}return {{ {exported} }};\n}})();\n'
    return done


def _lookup(imported: re.Match[str]) -> str:
    return f'const {imported["all"] or imported["some"]} = modules["{imported["file"]}"];'
