"""Draws what the demo model learns from.

`python tools/demo_model/draw_world.py FOLDER` fills FOLDER/world/1_animals.
"""

import sys
from pathlib import Path

from dbtui.demo.world.write import write_captioned

PICTURES = 3000

if __name__ == "__main__":
    write_captioned(Path(sys.argv[1]) / "world" / "1_animals", PICTURES)
