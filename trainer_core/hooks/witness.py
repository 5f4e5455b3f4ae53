"""Remembers of a run's events what hooks are told at its end; it does not depend on the disk that they go to."""

from typing import Any

from trainer_core.errors import ExitCode
from trainer_core.hooks.outcome import Outcome, UploadState
from trainer_core.run.directory import RunDirectory

UPLOAD_FAILED = "upload_failed"
"""Code of the warning that an upload failed or that something else arrived."""


class Witness:
    """Sees the events of one attempt as they are told. Nothing here raises."""

    def __init__(self) -> None:
        self._step = 0
        self._loss: float | None = None
        self._uploads: set[UploadState] = set()
        self._ending: dict[str, Any] | None = None

    def see(self, event: dict[str, Any]) -> None:
        """Take in one event."""
        match event["kind"]:
            case "step":
                self._step, self._loss = event["step"], event["loss"]
            case "resumed":
                self._step = event["from_step"]
            case "uploaded":
                self._step = event.get("step") or self._step  # a resume may have nothing else left to do
                self._uploads.add("verified" if event.get("verified") is True else "unverified")
            case "warning" if event.get("code") == UPLOAD_FAILED:
                self._uploads.add("failed")
            case "finished" | "failed":
                self._ending = event

    def outcome(self, run: RunDirectory) -> Outcome | None:
        """Return how `run` ended; None if nothing said so."""
        if self._ending is None:
            return None
        code = self._ending["exit_code"]
        state = {int(ExitCode.DONE): "done", int(ExitCode.STOPPED): "stopped"}.get(code, "failed")
        return Outcome(
            run=run,
            state=state,  # type: ignore[arg-type]
            exit_code=code,
            step=self._step,
            loss=self._loss,
            text=str(self._ending.get("text") or ""),
            outputs=tuple(self._ending.get("outputs") or ()),
            upload=self._upload(),
        )

    def _upload(self) -> UploadState:
        """Return the worst of all uploads."""
        for state in ("failed", "unverified", "verified"):
            if state in self._uploads:
                return state
        return "none"
