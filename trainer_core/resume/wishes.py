"""What whoever starts or resumes a run asks for besides what its files say."""

from dataclasses import dataclass

from trainer_core.config.prompts_file import with_prompts_of_file
from trainer_core.config.reader import read_config
from trainer_core.config.schema import Config
from trainer_core.run.directory import RunDirectory


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line gives.

    Attributes:
        overrides: settings to change, `section.key=value` as `--set` takes them.
        allow_changed: go on also where what decides what is learned is not what it was.
    """

    overrides: tuple[str, ...] = ()
    allow_changed: bool = False

    @property
    def arguments(self) -> list[str]:
        """The same as options of `python -m trainer_core RUN_DIR`."""
        changes = [word for override in self.overrides for word in ("--set", override)]
        return [*changes, *["--allow-changed"] * self.allow_changed]

    def configuration(self, run: RunDirectory) -> Config:
        """Return the run's configuration with the overrides. Raises UserError(CONFIG) with every problem in it."""
        return with_prompts_of_file(read_config(run.configuration, overrides=self.overrides))


NO_WISHES = Wishes()
