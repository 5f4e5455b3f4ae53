"""The head of the portable trainer: serves the modules and data that follow in the same file to Python's import.

This file is copied into the bundle, where `__file__` is the bundle itself. Every section below the head is the
unchanged source of one module of trainer_core; it is compiled with its own line numbers when it is imported.
"""

import base64
import lzma
import os
import re
import sys
from collections.abc import Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

DBTRAIN_BUNDLE = os.path.abspath(__file__)  # noqa: PTH100 - kept as text: it is part of command lines
SECTION = re.compile(r"^# =+ (module|data) (\S+) =+\n", re.MULTILINE)


class Bundle(MetaPathFinder, InspectLoader):
    """Finds and loads the modules of one bundle file; asked before every installed package."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.text = Path(path).read_text(encoding="utf-8")
        marks = list(SECTION.finditer(self.text))
        ends = [mark.start() for mark in marks[1:]] + [len(self.text)]
        self.sections = {mark[2]: (mark.end(), end) for mark, end in zip(marks, ends, strict=True)}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the module lies in the bundle, None for modules that are not in it."""
        for name, is_package in ((f"{fullname.replace('.', '/')}/__init__.py", True), (_file(fullname), False)):
            if name in self.sections:
                spec = ModuleSpec(fullname, self, origin=f"{self.path}/{name}", is_package=is_package)
                spec.has_location = True
                return spec
        return None

    def get_source(self, fullname: str) -> str:
        """Return the source of a module, after as many empty lines as stand before it in the bundle."""
        package = f"{fullname.replace('.', '/')}/__init__.py"
        start, end = self.sections[package if package in self.sections else _file(fullname)]
        return "\n" * self.text.count("\n", 0, start) + self.text[start:end]

    def get_code(self, fullname: str) -> CodeType:
        """Compile a module; tracebacks name the bundle and its line."""
        code: CodeType = compile(self.get_source(fullname), self.path, "exec")
        return code

    def is_package(self, fullname: str) -> bool:
        """Tell whether the module is a package."""
        return f"{fullname.replace('.', '/')}/__init__.py" in self.sections

    def get_data(self, path: str) -> bytes:
        """Return a data file (for `pkgutil.get_data`), which is kept compressed in comment lines."""
        try:
            start, end = self.sections[path.removeprefix(f"{self.path}/")]
        except KeyError:
            raise FileNotFoundError(path) from None
        encoded = self.text[start:end].replace("\n", "").replace("# ", "")
        return lzma.decompress(base64.b85decode(encoded))


def _file(fullname: str) -> str:
    return f"{fullname.replace('.', '/')}.py"


if __name__ == "__main__":
    sys.meta_path.insert(0, Bundle(DBTRAIN_BUNDLE))
    from trainer_core.main import main

    main()  # ends the process: what follows is read by Bundle, not run
    sys.exit()
