"""What a method makes of the words that folders and concepts bring: which are trained, and which are missing."""

from collections.abc import Iterable
from dataclasses import replace

from trainer_core.config.tables.method import CaptionMethod
from trainer_core.data.balance import class_key
from trainer_core.data.filewords import has_place
from trainer_core.data.folder_names import split_style
from trainer_core.data.folders import Source, Sources


def settle_words(found: Sources, method: CaptionMethod) -> None:
    """Give every folder the identifier, class and prompt that `method` trains, in place; note what is missing."""
    found.folders[:] = [_with_style(source) for source in found.folders]
    found.folders[:] = [_with_class(source, found.folders) for source in found.folders]
    if method == "finetune":
        found.folders[:] = [_without_words(source) for source in found.folders]
        return
    for source in found.folders:
        if method == "hybrid" and source.kind == "train" and source.identifier is None:
            found.fault(source.path, _no_identifier(source))


def identifiers_beside(source: Source, sources: Iterable[Source]) -> tuple[str, ...]:
    """Return the identifiers of the subjects whose class pictures lie in the folder of `source`."""
    names = (
        each.identifier
        for each in sources
        if each.kind == "train" and class_key(each.class_name) == class_key(source.class_name)
    )
    return tuple(dict.fromkeys(filter(None, names)))


def _with_style(source: Source) -> Source:
    """The identifier of a concept whose prompt ends in "by sls" is "sls", also where none or "by sls" is given."""
    style = split_style(source.prompt)
    if source.kind == "class" or style is None:
        return source
    is_named = source.identifier is None or source.identifier.lower() == f"by {style[0]}".lower()
    return replace(source, identifier=style[0]) if is_named else source


def _with_class(source: Source, sources: Iterable[Source]) -> Source:
    """A subject of no named class belongs to the one class that has pictures, if there is just one."""
    classes = {class_key(each.class_name): each.class_name for each in sources if each.kind == "class"}
    if source.kind == "class" or source.class_name or len(classes) != 1:
        return source
    return replace(source, class_name=next(iter(classes.values())))


def _without_words(source: Source) -> Source:
    prompt = source.prompt if has_place(source.prompt) else ""
    return replace(source, identifier=None, prompt=prompt)


def _no_identifier(source: Source) -> str:
    what = 'has no identifier, and method.captions = "hybrid" puts one into every caption.'
    if source.prompt_from == "folder":
        name = f"{source.repeats}_sls {source.prompt}"
        return f'{what} Put a rare word first in the name, as in "{name}"'
    return f"{what} Set the concept's identifier, or give --identifier"
