"""From a file or a model and the options of a command line to a run directory that a trainer can be started on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainer_core.run.directory import RunDirectory, create_numbered_run, create_run
from trainer_core.run.names import next_free_name, stem_of

if TYPE_CHECKING:
    from trainer_core.config.schema import Config
    from trainer_core.plan import Plan


def configure(
    file: str,
    *,
    overrides: Sequence[str] = (),
    model: str | None = None,
    data: str | None = None,
    reg: str | None = None,
    identifier: str | None = None,
    class_: str | None = None,
    concepts: Path | None = None,
    runs_dir: Path = Path("runs"),
    tell: Callable[[str], None] = lambda note: None,
) -> "Config":
    """Return the complete configuration of `file` (a path, a preset's name, or a model that carries its settings).

    It is bound to this machine. The start model of a model's training is looked for among others in `runs_dir`.
    `tell` is called with how it was found, and with what could not be taken over from the list `concepts`.

    Raises:
        UserError: what is wrong or missing in it, everything at once.
    """
    from dbtui.presets.library import open_preset
    from dbtui.presets.settings import read_settings
    from trainer_core.config.bindings import bind, require_bindings
    from trainer_core.config.concepts_list import read_concepts_list
    from trainer_core.config.prompts_file import with_prompts_of_file

    preset = open_preset(file)
    config = read_settings(preset, overrides=overrides)
    if concepts is not None:
        listed = read_concepts_list(concepts, config)
        for note in listed.notes:
            tell(note)
        config = read_settings(preset, overrides=overrides, over=[listed.layer])
    no_model = ""
    if preset.origin == "model" and config.model.base is None:
        from dbtui.runs.start_model import start_model_of

        start = start_model_of(preset.path, model, runs_dir, tell)
        model, no_model = start.base, start.missing
    config = bind(config, model=model, data=data, reg=reg, identifier=identifier, class_=class_)
    require_bindings(config, no_model=no_model)
    return with_prompts_of_file(config)


def make_run(config: "Config", plan: "Plan", runs_dir: Path, name: str | None) -> RunDirectory:
    """Create the run's folder with its run.toml: named `name`, else after what it learns, with the next number."""
    from trainer_core.config.writer import dump_config

    text = dump_config(config)
    if name is not None:
        return create_run(runs_dir, name, text)
    return create_numbered_run(runs_dir, _stem(config, plan), text)


def next_name(config: "Config", plan: "Plan", runs_dir: Path) -> str:
    """Return the name that a run made now would get by itself; one made at the same moment may take it first."""
    return next_free_name(runs_dir, _stem(config, plan))


def _stem(config: "Config", plan: "Plan") -> str:
    """Name a run after its first subject, its model file, or its preset."""
    from trainer_core.data.filewords import fill_place

    folder = next(iter(plan.scan.train), None)
    subject: tuple[str | None, ...] = ()
    if folder and folder.identifier:
        subject = (folder.identifier, folder.class_name)
    elif folder:  # a prompt that someone wrote may hold the rare word, where a class is all that is known
        subject = (fill_place(folder.prompt, ""), None if folder.prompt else folder.class_name)
    return stem_of(*(subject if any(subject) else (config.save.output_name or config.preset.name,)))
