"""What a run will do at its end, in words, before it starts."""

from collections.abc import Iterator

from trainer_core.errors import UserError
from trainer_core.hooks.user_config import UserConfig, read_user_config


def words_of_the_end(*, pushes_to_hub: bool) -> list[str]:
    """Return a line for each thing that the person's configuration asks for; none if it cannot be read."""
    try:
        config = read_user_config()
    except UserError:  # which the checks tell
        return []
    return list(_lines(config, pushes_to_hub))


def _lines(config: UserConfig, pushes_to_hub: bool) -> Iterator[str]:
    if config.upload:
        yield "upload: your command" + (
            ", and what arrives is verified" if config.upload.verify else ", not verified"
        )
    for name in ("on_finish", "on_failure", "on_stop"):
        if hook := getattr(config, name):
            parts = ["a webhook" if hook.webhook else "", "your command" if hook.command else ""]
            yield f"{name}: {' and '.join(filter(None, parts))}"
    if config.after_upload:
        will_run = config.upload is not None or pushes_to_hub
        yield "after_upload: " + ("your command" if will_run else "will not run, since nothing is uploaded")
