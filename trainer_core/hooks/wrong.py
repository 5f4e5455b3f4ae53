"""What is wrong with the person's own configuration file, in the words of TOML."""

import difflib
from typing import Any

from pydantic import BaseModel

from trainer_core.config.words import shown_value
from trainer_core.text import safe_text


def wrong_words(details: Any, root: type[BaseModel]) -> str:
    """Say what pydantic found: `details` is one of a ValidationError's `errors()` about the model `root`.

    The value of a webhook is never shown: such an address is a secret.
    """
    places = [str(part) for part in details["loc"] if isinstance(part, str)]
    key, last, value = ".".join(places), places[-1], details["input"]
    match details["type"], last:
        case "extra_forbidden", _:
            return _unknown(key, places, root)
        case "missing", _:
            return f"{key} is missing; it must be given"
        case "value_error", _:
            return f"{key} {details['ctx']['error']}"
        case _, "command" | "verify":
            found = "" if isinstance(value, list) else f", not {shown_value(value)}"
            return (
                f"{key} must be a list of 1 to 200 texts{found}: "
                '["program", "word"], or ["sh", "-c", "..."] to use a shell'
            )
        case _, "webhook":
            return f"{key} must be an https:// address of at most 2000 characters"
        case _, "timeout_minutes":
            return f"{key} must be a number greater than 0 and at most 10080, not {shown_value(value)}"
        case _, "schema":
            return f"schema must be 1, not {shown_value(value)}"
    return f"{key} must be a table (opened by [{key}]), not {shown_value(value)}"


def _unknown(key: str, places: list[str], root: type[BaseModel]) -> str:
    holder: Any = root
    for name in places[:-1]:
        holder = _model_of(holder.model_fields[name].annotation)
    known = [field.alias or name for name, field in holder.model_fields.items()]
    near = difflib.get_close_matches(places[-1][:64], known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else f"; there are {', '.join(known)}"
    return f"{safe_text(key, 80)} is not a setting{hint}"


def _model_of(annotation: Any) -> Any:
    """Return the table in `Table | None`."""
    return next(each for each in annotation.__args__ if each is not type(None))
