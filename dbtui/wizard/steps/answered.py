"""Whether a step has what it needs, as far as the answers alone tell. Pure."""

from dbtui.wizard.draft import Draft

_NAMES = ("identifier", "class", "instance_prompt")


def is_answered(draft: Draft, step: str) -> bool:
    """Tell whether nothing is missing in a step; those with a usual answer miss nothing."""
    if step == "model":
        return bool(draft.get("model.base"))
    if step not in {"subject", "pictures"} or draft.get("dataset.train_dir"):
        return True
    if step == "subject":
        captions_alone = draft.get("method.captions") == "finetune"
        return captions_alone or _each(draft, _NAMES)
    return _each(draft, ("instance_dir",))


def _each(draft: Draft, names: tuple[str, ...]) -> bool:
    """Tell whether there is a subject, and each has one of these."""
    concepts = draft.get("concept")  # of a file that anybody may have changed
    if not isinstance(concepts, list) or not concepts:
        return False
    return all(isinstance(each, dict) and any(each.get(name) for name in names) for each in concepts)
