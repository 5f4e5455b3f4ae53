"""A scan as a person reads it and as a program reads it."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dbtui.runs.plan_report import texts
from trainer_core.config.schema import Dataset
from trainer_core.data.balance import ClassBalance, balance_report, match_class_items
from trainer_core.data.buckets import assign_bucket, bucket_table, fit_picture
from trainer_core.data.caption_examples import text_examples
from trainer_core.data.dataset import Fault, Item, Picture, PictureFolder, Scan
from trainer_core.data.listing import counted
from trainer_core.disk import gigabytes, latent_bytes
from trainer_core.on_disk import from_home
from trainer_core.text import safe_text

_BAR_CELLS = 32


def print_report(scan: Scan, dataset: Dataset) -> None:
    """Print the report on stdout."""
    console = Console(highlight=False, markup=False, emoji=False)
    for part in report(scan, dataset):
        console.print()
        console.print(Padding(part, (0, 0, 0, 2), expand=False))
    console.print()


def report(scan: Scan, dataset: Dataset) -> list[RenderableType]:
    """The parts of the report, from what is there to what is wrong with it."""
    parts: list[RenderableType] = []
    if scan.train or scan.classes:
        parts.append(_folders(scan))
    if examples := text_examples(dataset, match_class_items(scan), 1, 0):
        parts.append(Group(Text("texts", style="bold"), Padding(texts(examples), (0, 0, 0, 2))))
    parts += [_balance(entry) for entry in balance_report(scan) if entry.train_pictures and entry.class_pictures]
    if any(folder.pictures for folder in scan.train):
        parts.append(Group(_epoch(scan, dataset), *_latents(scan, dataset)))
        if dataset.bucket.enable:
            parts.append(_buckets(scan, dataset))
    problems = (*scan.faults, *scan.bad_images)
    if problems:
        parts.append(_problems(problems, dataset))
    if scan.notes:
        parts.append(
            _signed("i", counted(len(scan.notes), "remark"), "cyan", [_short(n, dataset) for n in scan.notes])
        )
    if not problems:
        parts.append(Text("✓ ready to train on", style="green"))
    return parts


def report_data(scan: Scan, dataset: Dataset) -> dict[str, Any]:
    """Everything that the report says, and every picture, as JSON types."""
    items = match_class_items(scan)
    return {
        "usable": not (scan.faults or scan.bad_images),
        "resolution": dataset.resolution,
        "folders": [_folder_data(folder, dataset) for folder in (*scan.train, *scan.classes)],
        "balance": [_balance_data(entry) for entry in balance_report(scan)],
        "epoch": {
            "train": sum(item.repeats for item in items if not item.is_class),
            "class": sum(item.repeats for item in items if item.is_class),
        },
        "texts": [
            {"path": each.path, "text": each.text, "varies": each.varies}
            for each in text_examples(dataset, items, 1, 0)
        ],
        "buckets": [{"size": size, "pictures": count} for size, count in bucket_table(items, dataset).items()],
        "latents": _latents_data(items, dataset),
        "faults": [{"path": fault.path, "text": fault.text} for fault in scan.faults],
        "bad_images": [{"path": fault.path, "text": fault.text} for fault in scan.bad_images],
        "notes": scan.notes,
        "checks": [{"kind": check.kind, "path": check.path, "like": check.like} for check in scan.checks],
    }


def _folders(scan: Scan) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(overflow="fold")
    for justify in ("right", "left", "right", "left", "right"):
        table.add_column(justify=justify, no_wrap=True)
    table.add_column(overflow="fold")
    for folder in (*scan.train, *scan.classes):
        table.add_row(
            _folder_name(folder),
            Text(str(len(folder.pictures))),
            Text("pictures x"),
            Text(str(folder.repeats)),
            Text("="),
            Text(str(folder.count), style="bold"),
            Text(_captions(folder), style="dim"),
        )
    return table


def _folder_name(folder: PictureFolder) -> Text:
    name = Text(safe_text(folder.path.name or folder.path, 40), style="bold")
    return name.append(" (class)", style="not bold") if folder.kind == "class" else name


def _captions(folder: PictureFolder) -> str:
    sources = _caption_sources(folder)
    files = {source: count for source, count in sources.items() if source not in ("folder", "prompt")}
    if not files and folder.prompt:
        return f'as "{safe_text(folder.prompt, 60)}"'
    if not files:
        return "no captions"
    kinds = ", ".join(files) if len(files) == 1 else ", ".join(f"{count} {kind}" for kind, count in files.items())
    return f"captions {sum(files.values())}/{len(folder.pictures)} ({kinds})"


def _caption_sources(folder: PictureFolder) -> Counter[str]:
    return Counter(picture.caption_from for picture in folder.pictures)


def _balance(entry: ClassBalance) -> Group:
    table = Table.grid(padding=(0, 1))
    most = max(entry.train_count, entry.class_count)
    for name, count, style in (("training", entry.train_count, "green"), ("class", entry.class_count, "blue")):
        bar = Text("█" * max(1, round(_BAR_CELLS * count / most)), style=style)
        table.add_row(Text(f"  {name}"), bar, Text(str(count)))
    return Group(Text(f"balance of {safe_text(entry.class_name)}", style="bold"), table, *_balance_words(entry))


def _balance_words(entry: ClassBalance) -> list[Text]:
    repeats = entry.balancing_repeats or 1
    enough = f"{counted(repeats, 'repeat')} would be just enough ({repeats * entry.train_pictures})"
    if entry.unused_pictures:
        text = f"  ! {entry.unused_pictures} of {entry.class_pictures} class pictures are never used; {enough}"
        return [Text(text, style="yellow")]
    words = [Text(f"  every class picture is used, {entry.used_count} items in all after matching")]
    if repeats * entry.train_pictures < entry.train_count:
        words.append(Text(f"  {enough}", style="dim"))
    return words


def _epoch(scan: Scan, dataset: Dataset) -> Text:
    items = match_class_items(scan)
    train = sum(item.repeats for item in items if not item.is_class)
    matched = sum(item.repeats for item in items if item.is_class)
    parts = f"{train} training + {matched} class" if matched else f"{train} training, no class pictures"
    width, height = dataset.resolution
    size = "in buckets of the area of" if dataset.bucket.enable else "at"
    return Text(f"an epoch holds {train + matched} items: {parts}, {size} {width} x {height}")


def _latents(scan: Scan, dataset: Dataset) -> Iterator[Text]:
    kept = _latents_data(match_class_items(scan), dataset)
    if not kept["bytes"]:
        yield Text("each picture is encoded anew in each step", "dim")
        return
    where = {"ram": "in memory", "disk": "on disk"}[dataset.cache_latents]
    what = "each picture and its mirror image" if dataset.flip_aug else "each picture"
    yield Text(f"{what} is encoded once and kept {where}: {gigabytes(kept['bytes'])}", "dim")


def _latents_data(items: tuple[Item, ...], dataset: Dataset) -> dict[str, Any]:
    if dataset.cache_latents == "off":
        return {"kept": "off", "bytes": 0}
    fits = [fit_picture(item.picture.size, dataset) for item in items]
    return {"kept": dataset.cache_latents, "bytes": latent_bytes(items, fits, flip=dataset.flip_aug)}


def _buckets(scan: Scan, dataset: Dataset) -> Group:
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right")
    table.add_column(justify="right")
    counts = bucket_table(match_class_items(scan), dataset)
    most = max(counts.values())
    for (width, height), count in counts.items():
        bar = Text("█" * max(1, round(_BAR_CELLS * count / most)), style="magenta")
        table.add_row(Text(f"  {width} x {height}"), Text(str(count)), bar)
    return Group(Text("pictures per bucket", style="bold"), table)


def _problems(problems: tuple[Fault, ...], dataset: Dataset) -> Group:
    lines = [f"{_short(str(fault.path), dataset)}: {fault.text}" for fault in problems]
    return _signed("!", counted(len(problems), "problem"), "red", lines)


def _signed(sign: str, title: str, style: str, lines: list[str]) -> Group:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row(Text("  -", style=style), Text(safe_text(line, 1000)))
    return Group(Text(f"{sign} {title}", style=f"bold {style}"), table)


def _short(text: str, dataset: Dataset) -> str:
    """Cut the folders that the person named off the front of a path, if something is left."""
    for parent in filter(None, (dataset.train_dir, dataset.reg_dir)):
        prefix = f"{from_home(parent)}/"
        if text.startswith(prefix):
            return text.removeprefix(prefix)
    return text


def _folder_data(folder: PictureFolder, dataset: Dataset) -> dict[str, Any]:
    return {
        "path": folder.path,
        "kind": folder.kind,
        "repeats": folder.repeats,
        "identifier": folder.identifier,
        "class": folder.class_name,
        "prompt": folder.prompt,
        "count": folder.count,
        "captions": dict(_caption_sources(folder)),
        "pictures": [_picture_data(picture, dataset) for picture in folder.pictures],
    }


def _picture_data(picture: Picture, dataset: Dataset) -> dict[str, Any]:
    return {
        "path": picture.path,
        "size": picture.size,
        "trained_at": assign_bucket(picture.size, dataset),
        "caption": picture.caption,
        "caption_from": picture.caption_from,
    }


def _balance_data(entry: ClassBalance) -> dict[str, Any]:
    return {
        "class": entry.class_name,
        "train_pictures": entry.train_pictures,
        "train_count": entry.train_count,
        "class_pictures": entry.class_pictures,
        "class_count": entry.class_count,
        "used_pictures": entry.used_pictures,
        "used_count": entry.used_count,
        "unused_pictures": entry.unused_pictures,
        "unused": [{"folder": folder, "pictures": count} for folder, count in entry.unused],
        "enough_repeats": entry.enough_repeats,
        "balancing_repeats": entry.balancing_repeats,
    }
