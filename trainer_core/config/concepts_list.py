"""Takes over a `concepts_list.json` of ShivamShrirao's diffusers or of sd_dreambooth_extension.

What is per concept there and per run here is taken where all concepts say the same. Whatever is not taken is named
with the reason.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_core.config.concepts_json import FIELDS, Entry, read_concepts_json
from trainer_core.config.layer import Layer, Tables, settings_of
from trainer_core.config.merge import failing_condition, lay_over
from trainer_core.config.schema import Config
from trainer_core.config.words import shown_condition, shown_key
from trainer_core.data.filewords import fill_place, has_place
from trainer_core.data.listing import counted, list_folder
from trainer_core.on_disk import from_home
from trainer_core.text import safe_text

CONCEPT_FIELDS = {
    "instance_token": "identifier",
    "class_token": "class",
    "instance_data_dir": "instance_dir",
    "class_data_dir": "class_dir",
    "instance_prompt": "instance_prompt",
    "class_prompt": "class_prompt",
    "class_negative_prompt": "class_negative_prompt",
}
PRIOR_FIELDS = {"class_guidance_scale": "guidance_scale", "class_infer_steps": "infer_steps"}
PROMPT_FIELDS = {
    "save_sample_negative_prompt": "negative_prompt",
    "sample_seed": "seed",
    "save_guidance_scale": "guidance_scale",
    "save_infer_steps": "steps",
}
"""Names of a concept's fields there and here: in [[concept]], [prior] and [[sample.prompts]]."""


@dataclass(frozen=True, slots=True)
class ConceptsList:
    """What a concepts list says in our settings.

    Attributes:
        layer: the settings, to be laid over a configuration; its paths begin at the list's folder.
        notes: what was not taken over, and why; safe to show.
    """

    layer: Layer
    notes: tuple[str, ...]


def read_concepts_list(path: Path, config: Config) -> ConceptsList:
    """Read the list at `path` for a run of `config`, whose settings decide what of it has an effect.

    Raises:
        UserError: it is no concepts list, everything at once (code CONFIG).
    """
    entries = read_concepts_json(path)
    folder = path.absolute().parent
    notes: list[str] = []
    tables: Tables = {"concept": [_concept(entry) for entry in entries]}
    if prior := _prior(entries, folder, notes):
        tables["prior"] = prior
    if sample := _sample(entries, config, notes):
        tables["sample"] = sample
    _drop_unused(tables, config, notes)
    notes += _unknown(entries)
    notes += _advice(entries, config)
    shown = safe_text(path)
    return ConceptsList(Layer(shown, tables, folder), tuple(f"{shown}: {note}" for note in notes))


def _concept(entry: Entry) -> Tables:
    return {ours: entry[theirs] for theirs, ours in CONCEPT_FIELDS.items() if entry.get(theirs)}


def _prior(entries: list[Entry], folder: Path, notes: list[str]) -> Tables:
    """Return what class pictures are drawn with."""
    prior = {ours: _agreed(entries, theirs, f"prior.{ours}", notes) for theirs, ours in PRIOR_FIELDS.items()}
    numbers = _with_numbers(entries, folder)
    prior["num_class_images"] = _agreed(numbers, "num_class_images", "prior.num_class_images", notes)
    return {name: value for name, value in prior.items() if value}


def _with_numbers(entries: list[Entry], folder: Path) -> list[Entry]:
    """Turn class pictures for each picture of the subject into class pictures in all."""
    counted_entries = []
    for entry in entries:
        each = entry.get("num_class_images_per", 0)
        if each > 0 and not entry.get("num_class_images"):
            entry = {**entry, "num_class_images": each * _pictures(folder / from_home(entry["instance_data_dir"]))}
        counted_entries.append(entry)
    return counted_entries


def _pictures(folder: Path) -> int:
    try:
        return len(list_folder(folder).pictures)
    except (OSError, ValueError):  # told where the folders are read
        return 0


def _agreed(entries: list[Entry], theirs: str, ours: str, notes: list[str]) -> Any:
    """Return the value that all concepts have that give one; 0 and -1 are the extension's words for none."""
    values = list(dict.fromkeys(entry[theirs] for entry in entries if entry.get(theirs, 0) > 0))
    if len(values) > 1:
        found = ", ".join(str(value) for value in values[:4])
        notes.append(
            f"{theirs} is not taken over: it is one number for all concepts here, {ours}, and not {found}"
        )
        return None
    return values[0] if values else None


def _sample(entries: list[Entry], config: Config, notes: list[str]) -> Tables:
    """Return the previews: those of the configuration and one for each concept that has a prompt."""
    prompts = []
    for number, entry in enumerate(entries, start=1):
        prompt = _drawable(entry.get("save_sample_prompt", ""), number, notes)
        more = {ours: entry[theirs] for theirs, ours in PROMPT_FIELDS.items() if _is_given(entry.get(theirs))}
        if prompt:
            prompts.append({"prompt": prompt, **more})
    without = [
        name for name in (*PROMPT_FIELDS, "n_save_sample") if any(_is_given(each.get(name)) for each in entries)
    ]
    if not prompts:
        notes += [f"{', '.join(without)}: not taken over, since no save_sample_prompt is given"] if without else []
        return {}
    sample: Tables = {"prompts": [prompt.model_dump() for prompt in config.sample.prompts] + prompts}
    if number_each := _agreed(entries, "n_save_sample", "sample.num_per_prompt", notes):
        sample["num_per_prompt"] = number_each
    return sample


def _drawable(prompt: str, number: int, notes: list[str]) -> str:
    if not has_place(prompt):
        return prompt
    prompt = fill_place(prompt, "")
    left = f'"{safe_text(prompt, 80)}" is drawn' if prompt else "nothing is drawn"
    notes.append(f"save_sample_prompt of concept {number}: a preview has no [filewords]; {left}")
    return prompt


def _is_given(value: Any) -> bool:
    return bool(value) and value != -1


def _drop_unused(tables: Tables, config: Config, notes: list[str]) -> None:
    """Take out, in place, what has no effect in a run of `config`."""
    merged = lay_over(config.model_dump(by_alias=True), tables)
    for named in list(settings_of(tables)):
        condition = failing_condition(named.field, merged)
        if condition is not None:
            del named.table[named.field.name]
            notes.append(f"{shown_key(named.path)} is not taken over: it needs {shown_condition(condition)}")
    draws = "num_class_images" in tables.get("prior", {}) or config.prior.num_class_images is not None
    for number, concept in enumerate(tables["concept"], start=1):
        if "class_prompt" in concept and "class_dir" not in concept and not draws:
            names_class = "class" not in concept and config.dataset.reg_dir is not None
            if not names_class:
                del concept["class_prompt"]
                notes.append(
                    f"class_prompt of concept {number} is not taken over: there are no class pictures, neither "
                    "class_data_dir nor num_class_images"
                )


def _unknown(entries: list[Entry]) -> list[str]:
    notes = []
    if any(entry.get("save_sample_template") for entry in entries):
        notes.append(
            "save_sample_template is not taken over: its grammar is the extension's; write the prompts into a file"
            " and name it as sample.prompts_file"
        )
    known = {*FIELDS, "max_steps", "is_valid"}
    others = dict.fromkeys(name for entry in entries for name in entry if name not in known)
    if any(entry.get("max_steps", -1) not in (0, -1) for entry in entries):
        notes.append("max_steps is not taken over: steps are for the whole run here, train.max_steps")
    if others:
        names = ", ".join(safe_text(name, 60) for name in list(others)[:8])
        more = f" and {len(others) - 8} more" if len(others) > 8 else ""
        notes.append(f"{counted(len(others), 'unknown field')} not taken over: {names}{more}")
    return notes


def _advice(entries: list[Entry], config: Config) -> list[str]:
    """The extension put the token into captions by itself; here that is a method."""
    puts_words = any(has_place(each.get("instance_prompt")) and each.get("instance_token") for each in entries)
    if config.method.captions == "dreambooth" and puts_words:
        return [
            "instance_prompt holds [filewords] beside an instance_token; the identifier is put into the captions"
            ' with method.captions = "hybrid" only'
        ]
    return []
