"""Reads a file of preview prompts: one a line, options behind it, in the grammar of kohya's sample prompts.

a sls frog on a leaf --n blurry, text --w 512 --h 768 --d 7 --s 28 --l 7.5
# a comment
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trainer_core.config.fields import FieldInfo, all_fields, all_tables
from trainer_core.config.rules import why_unused_negative
from trainer_core.config.schema import Config, Prompt
from trainer_core.config.toml_file import read_text
from trainer_core.config.words import expected
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

OPTIONS = {
    "n": "negative_prompt",
    "w": "width",
    "h": "height",
    "d": "seed",
    "s": "steps",
    "l": "guidance_scale",
}
"""Kohya's letter of each setting of a prompt."""
SAMPLER = "dpmsolver++"
"""Kohya's name (`--ss`) of the sampler that previews are drawn with."""
OTHER_MODELS = ("g", "fs", "ctr", "ci", "cr", "cn", "am", "ow", "of")
"""Kohya's options of other families and of ControlNet."""
MOST_SHOWN = 50
_OPTION = re.compile(r"\s--(?=\S|$)")


def with_prompts_of_file(config: Config) -> Config:
    """Return `config` with the prompts of `sample.prompts_file` behind its own, and without the file's name.

    So a run's folder holds what is drawn, and the run goes on where the file is gone.

    Raises:
        UserError: the file cannot be read, or what is wrong in it: every line at once.
    """
    sample = config.sample
    if sample.prompts_file is None:
        return config
    prompts = sample.prompts + read_prompts(Path(sample.prompts_file), already=len(sample.prompts))
    update = {"prompts": prompts, "prompts_file": None}
    return config.model_copy(update={"sample": sample.model_copy(update=update)})


def read_prompts(path: Path, *, already: int = 0) -> list[Prompt]:
    """Return the prompts of the file; `already` prompts from elsewhere count towards the most there may be.

    Raises:
        UserError: it cannot be read, or what is wrong in it: every line at once.
    """
    source = safe_text(path)
    if path.suffix.lower() != ".txt":
        text = "sample.prompts_file is a .txt file with one prompt a line; TOML has [[sample.prompts]] instead"
        raise _error([f"{source}: {text}"])
    problems: list[str] = []
    prompts: list[Prompt] = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if (line := line.strip()) and not line.startswith("#"):
            values, wrong = _values(line)
            prompt = None if wrong else _prompt(values, wrong)
            problems += [f"{source}: line {number}: {problem}" for problem in wrong]
            prompts += [prompt] if prompt else []
    problems += _how_many(source, len(prompts), already) if not problems else ()
    if problems:
        more = len(problems) - MOST_SHOWN
        raise _error(problems[:MOST_SHOWN] + ([f"... and {more} more problems"] if more > 0 else []))
    return prompts


def _values(line: str) -> tuple[dict[str, Any], list[str]]:
    """Take a line apart into the settings of a prompt, and what is wrong with its options."""
    text, *options = _OPTION.split(" " + line)
    values: dict[str, Any] = {"prompt": text.strip()}
    problems = [] if values["prompt"] else ["there is no prompt before the first option"]
    for option in options:
        letter, _, value = option.strip().partition(" ")
        name, shown = OPTIONS.get(letter.lower()), safe_text(letter, limit=40)
        if name is None:
            problems += _not_supported(letter.lower(), value.strip(), shown)
        elif name in values:
            problems.append(f"--{shown} is given twice; remove one of them")
        elif not value.strip():
            problems.append(f"--{shown} has no value")
        else:
            values[name] = _converted(_field(name), value.strip())
    return values, problems


def _prompt(values: dict[str, Any], problems: list[str]) -> Prompt | None:
    """Return the prompt with these settings, or note what is wrong with them."""
    try:
        prompt = Prompt.model_validate(values)
    except ValidationError as error:
        letters = {name: f"--{letter}" for letter, name in OPTIONS.items()}
        for details in error.errors(include_url=False):
            name = str(details["loc"][0])
            given = safe_text(details["input"], limit=60)
            wanted = expected(_field(name).value)
            problems.append(f"{letters.get(name, 'the prompt')} must be {wanted}, not {given}")
        return None
    if why := why_unused_negative(prompt):
        problems.append(f"--n {why} (--l)")
    return prompt


def _not_supported(letter: str, value: str, shown: str) -> Iterator[str]:
    if letter == "ss":
        if value.lower() != SAMPLER:
            yield f"--ss {safe_text(value, limit=40)}: previews are drawn with {SAMPLER} only; remove --ss"
    elif letter in OTHER_MODELS:
        yield f"--{shown} belongs to other model families or to ControlNet; remove it"
    else:
        known = " ".join(f"--{name}" for name in OPTIONS)
        yield f"--{shown} is not an option of a prompt; there are {known}"


def _converted(field: FieldInfo, text: str) -> Any:
    """Return the number that `text` is where the setting is one; else the text, which the schema then refuses."""
    if field.value.kind == "whole number" and re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    if field.value.kind == "number" and re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{0,18})?", text):
        return float(text)
    return text


def _how_many(source: str, count: int, already: int) -> Iterator[str]:
    most = next(table.max_length for table in all_tables() if table.key == "sample.prompts") or 0
    if count == 0:
        yield f"{source} holds no prompt; write one a line"
    elif count + already > most:
        besides = f" besides the {already} of [[sample.prompts]]" if already else ""
        yield f"{source} holds {count} prompts{besides}; there can be {most} in all"


def _field(name: str) -> FieldInfo:
    return all_fields()[f"sample.prompts.{name}"]


def _error(problems: list[str]) -> UserError:
    return UserError(problems, ExitCode.CONFIG)
