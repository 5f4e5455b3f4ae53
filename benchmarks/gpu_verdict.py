"""What a benchmark on a GPU found that is not as it should be."""

from typing import Any

from gpu_plain import REQUIRED

PARTS = ("presets", "plain", "ladder", "precisions", "attention")


def verdict(results: dict[str, Any]) -> list[str]:
    """Return what is not as it should be: one line each, none if all is well. Parts may be missing."""
    problems = list(results.get("errors", ()))
    if left_out := results.get("left_out"):
        problems.append(
            f"no time was left for {len(left_out)} of the trainings: {left_out[0]} and what follows it"
        )
    for row in (row for part in PARTS if part != "plain" for row in results.get(part, ())):
        problems += _of_row(row, on_gpu=results["device"] != "cpu")
    for row in results.get("plain", ()):
        if row["problem"]:
            problems.append(f"batch {row['batch_size']}: {row['problem']}")
        elif results["device"] != "cpu" and (row["ratio_to_plain"] or 0) < REQUIRED:
            problems.append(
                f"batch {row['batch_size']}: {row['ratio_to_plain']} times the plain loop, {REQUIRED} wanted"
            )
    return problems


def _of_row(row: dict[str, Any], *, on_gpu: bool) -> list[str]:
    problems = []
    names = (row.get(key) for key in ("preset", "attention", "rung"))
    name = next(filter(None, names), None) or f"{row['precision']} {row['optimizer']}"
    if row["problem"] and name != "xformers":  # a machine may lack it; then it has to be refused, and was
        problems.append(f"{name}: {row['problem']}")
    elif not row["problem"] and not row["losses_finite"]:
        problems.append(f"{name}: a loss is not finite")
    if row.get("fits_card") is False:
        problems.append(f"{name}: does not fit {row['card_gb']:g} GB: {row['problem_on_card']}")
    return problems + (_waits(name, row) if on_gpu else [])


def _waits(name: str, row: dict[str, Any]) -> list[str]:
    waits = row["host_waits_per_step"]
    allowed = 1 if row["loss_scale"] != 1 else 0  # the one that fp16's scaler needs
    # Parts of a step do not count: the profiler waits for the device once, when it ends.
    if all(int(count) <= allowed for count in waits.values()):
        return []
    return [f"{name}: the host waits at every step ({waits}), {allowed} allowed"]
