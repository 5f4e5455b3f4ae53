"""Imported first: makes the packages of this checkout importable where they are not installed."""

import sys
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parents[1])
if _ROOT not in sys.path:
    sys.path.append(_ROOT)  # last, so that PYTHONPATH can name another tree
