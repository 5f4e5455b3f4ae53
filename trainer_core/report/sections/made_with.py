"""Settings, versions and the machine: what it takes to do the same again."""

from typing import Any

from trainer_core.report.facts import Facts
from trainer_core.report.markup import Html, joined, lines, table, tag


def settings(facts: Facts) -> Html:
    """Return the section of the settings that are not the defaults, and the whole run file, folded."""
    names = ("Setting", "Value", "Default")
    header = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in names)))
    rows = [
        tag(
            "tr",
            tag("th", tag("code", key), scope="row"),
            tag("td", tag("code", value)),
            tag("td", tag("code", was)),
        )
        for key, value, was in facts.different
    ]
    changed = (
        tag("div", tag("table", header, tag("tbody", *rows)), class_="scroll", tabindex="0") if rows else Html("")
    )
    whole = tag("details", tag("summary", f"The whole {facts.run_file}"), tag("pre", lines(facts.run_toml)))
    note = tag("p", "What differs from the defaults. Of paths, the last part is shown.", class_="faint")
    return tag("section", tag("h2", "Settings"), note, changed, whole)


def machine(facts: Facts) -> Html:
    """Return the section of versions and machine; its name and its paths are left out."""
    process = facts.process
    if not process:
        return tag("section", tag("h2", "Versions and machine"), tag("p", "Not recorded."))
    gpu, versions = _dictionary(process.get("gpu")), _dictionary(process.get("versions"))
    memory = gpu.get("vram_total_gb")
    rows: list[tuple[object, object]] = [
        ("GPU", gpu.get("name") or "none seen"),
        ("VRAM", f"{memory:.1f} GB" if isinstance(memory, int | float) else ""),
        ("Driver", gpu.get("driver") or ""),
        ("System", facts.places.outside(str(process.get("platform") or ""))),
        ("Python", process.get("python") or ""),
        *versions.items(),
    ]
    shown = [(name, value) for name, value in rows if value]
    return tag("section", tag("h2", "Versions and machine"), joined(table(shown)))


def _dictionary(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
