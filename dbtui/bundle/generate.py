"""Puts trainer_core into one readable file that trains where dbtui was never installed."""

import base64
import lzma
import textwrap
from collections.abc import Iterator
from importlib import metadata, resources
from pathlib import Path

from dbtui import __version__

SCREEN_LIBRARIES = ("textual", "rich", "typer")
_DATA_WIDTH = 110


def generate() -> str:
    """Return the text of `dbtrain.py`: head, then every module of trainer_core unchanged, then its data."""
    root = Path(str(resources.files("trainer_core")))
    modules = [path for path in sorted(root.rglob("*.py")) if path.name != "__main__.py"]
    assets = [path for path in sorted((root / "assets").rglob("*")) if path.is_file()]
    sections = [_module(path, root) for path in modules] + [_data(path, root) for path in assets]
    return _head() + "".join(sections)


def _head() -> str:
    loader = (resources.files("dbtui.bundle") / "loader.py").read_text(encoding="utf-8")
    dependencies = "".join(f'#     "{requirement}",\n' for requirement in _requirements())
    return (
        "# /// script\n"
        f'# requires-python = "{metadata.metadata("dbtui")["Requires-Python"]}"\n'
        f"# dependencies = [\n{dependencies}# ]\n"
        "# ///\n"
        "#\n"
        f"# dbtrain.py {__version__}: DreamBooth training in one file. Made by `dbtui bundle`; do not edit.\n"
        "#\n"
        "#     python dbtrain.py run.toml          trains with the Python that has the packages above\n"
        "#     python dbtrain.py runs/sls-frog-1   resumes a run\n"
        "#     uv run dbtrain.py run.toml          makes an environment of its own, without the machine's torch\n"
        "#\n"
        "# The run directory that it writes can be watched with `dbtui attach`.\n"
        "# Licence: Apache-2.0. The CLIP vocabulary at the end is OpenAI's (MIT).\n\n"
        f"{loader}"
    )


def _requirements() -> Iterator[str]:
    for requirement in metadata.requires("dbtui") or []:
        if "extra ==" not in requirement and not requirement.startswith(SCREEN_LIBRARIES):
            yield requirement


def _module(path: Path, root: Path) -> str:
    return _mark("module", path, root) + path.read_text(encoding="utf-8")


def _data(path: Path, root: Path) -> str:
    encoded = base64.b85encode(lzma.compress(path.read_bytes())).decode("ascii")
    return _mark("data", path, root) + textwrap.indent("\n".join(_lines(encoded)), "# ") + "\n"


def _lines(text: str) -> Iterator[str]:
    for start in range(0, len(text), _DATA_WIDTH):
        yield text[start : start + _DATA_WIDTH]


def _mark(kind: str, path: Path, root: Path) -> str:
    return f"\n\n# {'=' * 30} {kind} {path.relative_to(root.parent).as_posix()} {'=' * 30}\n"
