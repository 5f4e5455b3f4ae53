"""A plan as a program reads it."""

from typing import Any

from dbtui.doctor.graphics import Gpu
from dbtui.memory.words import fits
from trainer_core.config.schema import Config
from trainer_core.data.balance import ClassBalance
from trainer_core.data.caption_examples import text_examples
from trainer_core.data.dataset import ClassPictures, PictureFolder
from trainer_core.disk import DiskNeed
from trainer_core.memory.prediction import Prediction
from trainer_core.models.sniff import ModelInfo
from trainer_core.plan import Plan
from trainer_core.saves import own_precisions


def plan_data(
    plan: Plan, config: Config, memory: Prediction | None = None, card: Gpu | None = None
) -> dict[str, Any]:
    """Return everything that the report says, and the problems, as JSON types. Sizes are in bytes."""
    saves = plan.saves
    return {
        "ok": not plan.errors,
        "problems": [{"code": int(error.code), "text": text} for error in plan.errors for text in error.problems],
        "notes": plan.notes,
        "model": _model(plan.model) if plan.model else None,
        "folders": [_folder(folder) for folder in (*plan.scan.train, *plan.scan.classes)],
        "class_pictures": [_class_pictures(each) for each in plan.scan.drawn],
        "balance": [_balance(entry) for entry in plan.balance],
        "texts": [
            {"path": each.path, "text": each.text, "varies": each.varies}
            for each in text_examples(config.dataset, plan.items, plan.total_steps, config.train.seed)
        ],
        "buckets": [{"size": size, "pictures": count} for size, count in plan.buckets.items()],
        "steps_per_epoch": plan.order.steps_per_epoch,
        "total_steps": plan.total_steps,
        "epochs": plan.epochs,
        "formula": plan.formula,
        "saves": {
            "folder": config.save.output_dir or "output",
            "on_the_way": saves.on_the_way,
            "first": saves.first,
            "final": saves.final,
            "at_once": saves.at_once,
            "precision": config.save.precision,
            "own_precisions": own_precisions(config.save),
        },
        "previews": {"times": saves.draws, "pictures": saves.pictures},
        "disk": _disk(plan.disk),
        "memory": _memory(memory, card) if memory else None,
    }


def _memory(memory: Prediction, card: Gpu | None) -> dict[str, Any]:
    free = card.free_gb if card else None
    return {
        "exact": memory.is_exact,
        "phases": dict(memory.phases),
        "worst": memory.worst,
        "needed": memory.needed,
        "gpus": memory.gpus,
        "card": card.name if card else None,
        "free": None if free is None else round(free * 2**30),
        "fits": fits(memory, card),
        "notes": memory.notes,
    }


def _model(model: ModelInfo) -> dict[str, Any]:
    return {
        "base": model.base,
        "format": "hub" if model.is_hub_id else model.format,
        "family": model.family,
        "prediction": model.prediction,
        "prediction_from": model.prediction_from,
        "dtypes": model.dtypes,
        "bytes": model.size_bytes,
    }


def _folder(folder: PictureFolder) -> dict[str, Any]:
    return {
        "path": folder.path,
        "kind": folder.kind,
        "pictures": len(folder.pictures),
        "repeats": folder.repeats,
        "count": folder.count,
        "identifier": folder.identifier,
        "class": folder.class_name,
        "prompt": folder.prompt,
    }


def _class_pictures(drawn: ClassPictures) -> dict[str, Any]:
    return {
        "folder": drawn.folder,
        "class": drawn.class_name,
        "prompt": drawn.prompt,
        "negative_prompt": drawn.negative_prompt,
        "present": drawn.present,
        "foreign": drawn.foreign,
        "missing": [picture.path for picture in drawn.missing],
    }


def _balance(entry: ClassBalance) -> dict[str, Any]:
    return {
        "class": entry.class_name,
        "train_count": entry.train_count,
        "class_count": entry.class_count,
        "used_count": entry.used_count,
        "used_pictures": entry.used_pictures,
        "unused_pictures": entry.unused_pictures,
        "balancing_repeats": entry.balancing_repeats,
    }


def _disk(need: DiskNeed) -> dict[str, Any]:
    return {
        "total": need.total,
        "models": need.models,
        "model": need.model_bytes,
        "checkpoints": need.checkpoints,
        "cache": need.cache,
        "previews": need.previews,
        "class_pictures": need.class_pictures,
        "exact": need.exact,
        "places": [{"folder": place.folder, "needed": place.needed, "free": place.free} for place in need.places],
    }
