"""How a run ended, as hooks are told: as environment variables, and as JSON without places or secrets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trainer_core.report.places import Places
from trainer_core.run.directory import RunDirectory

UploadState = Literal["none", "verified", "unverified", "failed"]
RunState = Literal["done", "stopped", "failed"]
_LONGEST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        step: the last step; 0 before the first.
        loss: of the last step, as far as known.
        text: what the trainer said at its end.
        outputs: absolute paths of the model's files.
        upload: whether the result was uploaded, and whether what arrived was compared by its hash.
    """

    run: RunDirectory
    state: RunState
    exit_code: int
    step: int
    loss: float | None
    text: str
    outputs: tuple[str, ...]
    upload: UploadState = "none"

    def environment(self, hook: str) -> dict[str, str]:
        """Return the variables that a command finds besides those of the trainer."""
        folder = str(Path(self.outputs[0]).parent) if self.outputs else str(self.run.output)
        return {
            "DBTUI_HOOK": hook,
            "DBTUI_RUN": self.run.name,
            "DBTUI_RUN_DIR": str(self.run.path),
            "DBTUI_STATE": self.state,
            "DBTUI_EXIT_CODE": str(self.exit_code),
            "DBTUI_STEP": str(self.step),
            "DBTUI_LOSS": "" if self.loss is None else f"{self.loss:.6g}",
            "DBTUI_TEXT": self.text[:_LONGEST_TEXT],
            "DBTUI_OUTPUT_DIR": folder,
            "DBTUI_OUTPUTS": "\n".join(self.outputs),
            "DBTUI_UPLOAD": self.upload,
            "DBTUI_REPORT": str(self.run.report),
        }

    def message(self, hook: str) -> dict[str, Any]:
        """Return what a webhook is sent: `text` and `content` are one sentence, which chat services show."""
        places = Places.of(self.run)
        said = places.outside(self.text.replace("\n", "; "))[:_LONGEST_TEXT]
        upload = "; the upload failed" if self.upload == "failed" else ""
        sentence = f"{self.run.name} {_VERBS[self.state]} at step {self.step}{upload}: {said}"
        return {
            "hook": hook,
            "run": self.run.name,
            "state": self.state,
            "exit_code": self.exit_code,
            "step": self.step,
            "loss": self.loss,
            "upload": self.upload,
            "outputs": [places.name_of(path, self.run) for path in self.outputs],
            "text": sentence,
            "content": sentence,
        }


_VERBS: dict[RunState, str] = {"done": "is done", "stopped": "stopped", "failed": "failed"}
