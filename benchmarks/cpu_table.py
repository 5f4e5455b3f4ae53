"""What benchmarks/cpu.py found, as tables: all of it for the docs, the ratios for the README."""

from typing import Any

from results_file import with_table


def table_of(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    lines = [
        "# On a CPU",
        "",
        "| | ours | plain : ours (min to max) | ten times the work takes | goal |",
        "|---|---|---|---|---|",
    ]
    lines += [_line(row) for row in results["rows"]]
    how = f"Medians; both sides in turn, {results['repeats']} times (half-width U-Net and larger scan less often)."
    lines += ["", f"{how} {_machine(results)}", ""]
    return "\n".join(lines)


def _machine(results: dict[str, Any]) -> str:
    """Say what it ran on, and how busy that was: this work alone makes a load of one or two."""
    about, after = results["machine"], results["load_1_minute_after"]
    loads = f"load before and after: {about['load_1_minute_before']}, {after}"
    return f"{about['cpu']}, {about['cores']} cores, threads of torch: {results['threads']}; {loads}."


def _line(row: dict[str, Any]) -> str:
    ratio, growth, value = row.get("ratio"), row.get("growth"), _value(row)
    shown = f"**{ratio['median']:.2f}** ({ratio['min']:.2f} to {ratio['max']:.2f})" if ratio else ""
    grown = "" if growth is None else f"{growth:g} times as long"
    if row["unit"] == "share" and "growth_of_rate" in row:
        grown = f"{growth:g} times (steps so far), {row['growth_of_rate']:g} times (steps a second)"
    grown += f", {row['mib_growth']:g} times the memory" if "mib_growth" in row else ""
    goal = f"< {row['goal']:.0%}, {'reached' if row['reached'] else 'missed'}" if "goal" in row else ""
    return f"| {row['row']} | {value} | {shown} | {grown} | {goal} |"


def _value(row: dict[str, Any]) -> str:
    value = f"{100 * row['ours']:.2g}%" if row["unit"] == "share" else f"{row['ours']:.3g} s"
    value += f", {row['mib']} MiB" if "mib" in row else ""
    value += f", {row['per_second']:g} pictures/s" if "per_second" in row else ""
    return value + (f", {row['microseconds']:g} µs" if "microseconds" in row else "")


def readme_with(page: str, results: dict[str, Any]) -> str:
    """Return the README with the ratios, and the machine that they are of."""
    lines = ["# On a CPU", "", "| on a CPU | ours | |", "|---|---|---|"]
    for row in results["rows"]:
        ratio = row.get("ratio")
        said = (
            f"{ratio['median']:.2f} times as fast as the plain loop"
            if ratio
            else f"goal: < {row.get('goal', 0):.0%}"
        )
        if "scan" in row["row"]:
            said = f"a bare loop that opens them takes {row['plain']:.3g} s"
        lines.append(f"| {row['row']} | {_value(row)} | {said} |")
    return with_table(page, "cpu", "\n".join([*lines, "", _machine(results), ""]))
