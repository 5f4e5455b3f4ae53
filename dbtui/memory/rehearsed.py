"""A prediction computed anew, in a process of its own: it takes torch, and half a minute."""

import json
import subprocess
import sys

from trainer_core.config.schema import Config
from trainer_core.data.dataset import Size
from trainer_core.errors import ExitCode, UserError
from trainer_core.memory.prediction import Prediction
from trainer_core.models.sniff import FamilyName
from trainer_core.text import safe_text

SECONDS = 900
"""After which a rehearsal is given up; a step of a full-size model takes one core 10 to 30 s."""


def rehearsed(config: Config, family: FamilyName, size: Size) -> Prediction:
    """Return the peaks of `config` for pictures of `size`; UserError(FAILED) if the rehearsal breaks."""
    request = {"config": config.model_dump(mode="json", by_alias=True), "family": family, "size": size}
    command = [sys.executable, "-P", "-m", "trainer_core.memory"]
    try:
        done = subprocess.run(
            command, input=json.dumps(request), capture_output=True, text=True, timeout=SECONDS, check=False
        )
        kinds = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise _broken(str(error)) from error
    if kinds is None:
        raise _broken((done.stderr.strip().splitlines() or ["no word"])[-1])
    return Prediction({phase: sum(each.values()) for phase, each in kinds.items()}, is_exact=True)


def _broken(reason: str) -> UserError:
    text = (
        f"the rehearsal of the step broke ({safe_text(reason, 300)}): leave --exact out, or look at `dbtui doctor`"
    )
    return UserError(text, ExitCode.FAILED)
