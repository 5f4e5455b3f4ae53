"""Rehearses the configuration on stdin (JSON) and prints the peaks as JSON: `python -m trainer_core.memory`.

A process of its own: it loads torch and changes how it computes.
"""

import json
import sys

from trainer_core.config.schema import Config
from trainer_core.console import make_sturdy
from trainer_core.models.lean import lean_imports


def main() -> None:
    """Read a request, `{config, family, size}`; print `{phase: {kind: bytes}}`."""
    make_sturdy()
    lean_imports()
    from trainer_core.memory.exact import rehearse

    request = json.load(sys.stdin)
    config = Config.model_validate_json(json.dumps(request["config"]))
    answer = rehearse(config, request["family"], tuple(request["size"]))
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
