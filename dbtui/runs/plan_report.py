"""A plan as a person reads it."""

from collections.abc import Iterator

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dbtui.doctor.graphics import Gpu
from dbtui.memory.words import prediction_lines
from dbtui.runs.model_words import form_words, kind_words
from trainer_core.config.schema import Config, Method, Save
from trainer_core.data.balance import ClassBalance
from trainer_core.data.caption_examples import TextExample, text_examples
from trainer_core.data.dataset import ClassPictures, PictureFolder
from trainer_core.data.listing import counted
from trainer_core.disk import DiskNeed, gigabytes
from trainer_core.errors import ExitCode
from trainer_core.hooks.words import words_of_the_end
from trainer_core.memory.prediction import Prediction
from trainer_core.models.sniff import ModelInfo
from trainer_core.plan import Plan
from trainer_core.saves import Saves, own_precisions
from trainer_core.text import safe_text

_CHECKS = (
    ("settings", ExitCode.CONFIG),
    ("model", ExitCode.MODEL),
    ("pictures", ExitCode.DATASET),
    ("disk", ExitCode.DISK),
)


def print_plan(plan: Plan, config: Config, memory: Prediction | None = None, card: Gpu | None = None) -> None:
    """Print the plan on stdout; its problems are told by who called."""
    console = Console(highlight=False, markup=False, emoji=False)
    console.print()
    console.print(Padding(report(plan, config, memory, card), (0, 1, 0, 2), expand=False))
    console.print()


def report(
    plan: Plan, config: Config, memory: Prediction | None = None, card: Gpu | None = None
) -> RenderableType:
    """The plan in rows with a label each, the checks, and the remarks."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in _rows(plan, config):
        table.add_row(label, value)
    if memory:
        table.add_row("memory", Text("\n".join(prediction_lines(memory, card))))
    return Group(table, Text(), _checks(plan), *_remarks(plan))


def _rows(plan: Plan, config: Config) -> Iterator[tuple[str, RenderableType]]:
    if plan.model:
        yield "model", _model(plan.model)
    if plan.scan.train or plan.scan.classes:
        yield "pictures", _folders(plan)
    for drawn in plan.scan.drawn:
        yield "to draw", _to_draw(drawn, config)
    for balance in plan.balance:
        if balance.train_pictures and balance.class_pictures:
            yield "", _matching(balance)
    if examples := text_examples(config.dataset, plan.items, plan.total_steps, config.train.seed):
        yield "texts", texts(examples)
    if plan.buckets:
        sizes = [Text(f"{width} x {height}: {count}") for (width, height), count in plan.buckets.items()]
        yield ("buckets" if config.dataset.bucket.enable else "size"), Columns(sizes, padding=(0, 3))
        yield "steps", Text(plan.formula)
    yield "saves", _saves(plan.saves, config.save, config.method)
    if plan.saves.draws:
        each = counted(plan.saves.pictures, "picture")
        yield "previews", Text(f"{each}, drawn {counted(plan.saves.draws, 'time')}")
    if config.hub.push:
        kind = "private" if config.hub.private else "public"
        yield "upload", Text(f"to {config.hub.repo_id} on the Hub, {kind} if it is made anew")
    if at_the_end := words_of_the_end(pushes_to_hub=config.hub.push):
        yield "at the end", Text("\n".join(at_the_end))
    yield "disk", _disk(plan.disk)


def _model(model: ModelInfo) -> Text:
    facts = kind_words(model) or ["its family is known once it is loaded"]
    facts += form_words(model)
    return Text.assemble((safe_text(model.base), "bold"), "\n", " · ".join(facts))


def _folders(plan: Plan) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(overflow="fold")
    for justify in ("right", "left", "right", "left", "right"):
        table.add_column(justify=justify, no_wrap=True)
    table.add_column(overflow="fold")
    for folder in (*plan.scan.train, *plan.scan.classes):
        note = "class" if folder.kind == "class" else _captions(folder)
        cells = (len(folder.pictures), "x", folder.repeats, "=", folder.count)
        name = Text(safe_text(folder.path.name or folder.path, 40))
        table.add_row(name, *(Text(str(cell)) for cell in cells), Text(note, "dim"))
    return table


def texts(examples: tuple[TextExample, ...]) -> Table:
    """What some pictures are trained with, a row each."""
    table = Table.grid(padding=(0, 1))
    table.add_column(overflow="fold", style="dim")
    table.add_column(overflow="fold")
    for each in examples:
        name = safe_text(each.path.name, 30) + (" (class)" if each.is_class else "")
        table.add_row(Text(name), Text(f'"{safe_text(each.text, 200)}"'))
    if examples[0].varies:
        table.add_row(Text(), Text("and others: they are made anew at each step", "dim"))
    return table


def _captions(folder: PictureFolder) -> str:
    written = sum(picture.caption_from not in {"folder", "prompt"} for picture in folder.pictures)
    if not written and folder.prompt:
        return f'as "{safe_text(folder.prompt, 60)}"'
    return f"captions {written}/{len(folder.pictures)}"


def _to_draw(drawn: ClassPictures, config: Config) -> Text:
    words = f"{counted(drawn.present + len(drawn.missing), 'class picture')} of {safe_text(drawn.class_name, 40)}"
    words += f', "{safe_text(drawn.prompt, 60)}"'
    if not drawn.missing:
        return Text(f"{words}: all there, none is drawn")
    prior, (width, height) = config.prior, config.dataset.resolution
    how = f"{width} x {height}, {counted(prior.infer_steps, 'step')}, scale {prior.guidance_scale:g}"
    draws = f"{drawn.present} there, {len(drawn.missing)} drawn by the start model ({how})"
    return Text(f"{words}: {draws}\ninto {safe_text(drawn.folder, 500)}")


def _matching(balance: ClassBalance) -> Text:
    words = f"{counted(balance.class_pictures, 'class picture')} of {safe_text(balance.class_name, 40)}"
    if not balance.unused_pictures:
        how = "repeated to match" if balance.used_count > balance.class_count else "each as often as it says"
        return Text(f"{words}: all used, {how} = {balance.used_count}", "dim")
    enough = balance.balancing_repeats or 1
    text = f"! {words}: {balance.unused_pictures} never used; {counted(enough, 'repeat')} would use all"
    return Text(text, "yellow")


def _saves(saves: Saves, save: Save, method: Method) -> Text:
    names = [*saves.first, *(["..."] if saves.on_the_way > len(saves.first) else []), saves.final]
    where = safe_text(save.output_dir) if save.output_dir else "the run's output folder"
    types: list[str] = [save.precision] if save.precision else []
    types += [f"{part.replace('_', ' ')} {precision}" for part, precision in own_precisions(save).items()]
    how_many = counted(saves.on_the_way + 1, "LoRA file" if method.train == "lora" else "model")
    kept = f", {saves.at_once} at a time" if saves.at_once <= saves.on_the_way else ""
    kind = f", {', '.join(types)}" if types else ""
    return Text(f"{how_many}{kept}{kind}, into {where}\n{safe_text(', '.join(names), 1000)}")


def _disk(need: DiskNeed) -> Group:
    parts = [f"{counted(need.num_models, 'model')} of {gigabytes(need.model_bytes)}"] if need.models else []
    if need.checkpoints:
        parts.append(f"{counted(need.num_checkpoints, 'checkpoint')}, {gigabytes(need.checkpoints)}")
    parts += [f"cached pictures {gigabytes(need.cache)}"] if need.cache else []
    parts += [f"previews {gigabytes(need.previews)}"] if need.previews else []
    parts += [f"class pictures {gigabytes(need.class_pictures)}"] if need.class_pictures else []
    about = "at most " if need.exact else "about "
    lines = [f"{about}{gigabytes(need.total)}: {', '.join(parts)}"] if parts else []
    spare = ", room for logs included"  # which lie with the run, the first of the places
    mores = [spare] + [""] * len(need.places)
    lines += [
        f"{gigabytes(place.needed)}{more}, of {gigabytes(place.free)} free in {safe_text(place.folder)}"
        for place, more in zip(need.places, mores, strict=False)
    ]
    return Group(*(Text(line) for line in lines))


def _checks(plan: Plan) -> Text:
    line = Text()
    for label, code in _CHECKS:
        if problems := sum(len(error.problems) for error in plan.errors if error.code == code):
            line.append(f"✗ {label}: {counted(problems, 'problem')}   ", "bold red")
        else:
            line.append(f"✓ {label}   ", "green")
    return line


def _remarks(plan: Plan) -> Iterator[RenderableType]:
    if not plan.notes:
        return
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for note in plan.notes:
        table.add_row(Text("i", "cyan"), Text(safe_text(note, 1000)))
    yield Text()
    yield table
