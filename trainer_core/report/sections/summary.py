"""What was trained, how it ended, where the model is and how to use it."""

from collections.abc import Iterator
from pathlib import Path

from trainer_core.report.facts import Facts
from trainer_core.report.markup import Html, joined, tag
from trainer_core.report.plot import smoothed
from trainer_core.report.story import Story
from trainer_core.report.use import how_to_use
from trainer_core.report.words import SIGNS, State, duration, moment, size, style_of
from trainer_core.run.directory import RunDirectory

METHODS = {"dreambooth": "DreamBooth", "finetune": "fine-tuning", "hybrid": "DreamBooth with captions"}


def head(run: RunDirectory, story: Story, facts: Facts, state: State) -> Html:
    """Return the page's head: the run's name, how it ended, and what it trained."""
    ending = story.ending
    said = [facts.places.outside(line) for line in ending.text.split("\n") if line.strip()] if ending else []
    words = f"{SIGNS[state]} {state}" + (
        f" (exit code {ending.exit_code})" if state == "failed" and ending else ""
    )
    texts = [tag("p", line, class_="problem" if state == "failed" else None) for line in said[:50]]
    return joined(tag("h1", run.name), tag("p", words, class_=f"state {style_of(state)}"), *texts, _what(facts))


def summary(run: RunDirectory, story: Story, facts: Facts, state: State) -> Html:
    """Return the section of key numbers, the model, and everything that the run warned of."""
    cards = [tag("div", tag("dt", name), tag("dd", value)) for name, value in _cards(story) if value]
    return joined(tag("dl", *cards, class_="cards"), _model(run, story, facts, state), _warnings(story, facts))


def _what(facts: Facts) -> Html:
    config = facts.config
    if config is None:
        return tag("p", "Its configuration cannot be read by this version of dbtui.")
    width, height = config.dataset.resolution
    kind = "A LoRA" if config.method.train == "lora" else "A whole model"
    base = Path(config.model.base or "").name if (config.model.base or "").startswith("/") else config.model.base
    preset = f", preset {config.preset.title or config.preset.name}" if config.preset.name else ""
    text = f"{kind} by {METHODS[config.method.captions]} on {base or 'a start model'}, {width} x {height}{preset}."
    learnt = f" It learned {', '.join(facts.prompts)}." if facts.prompts else ""
    return tag("p", facts.places.inside(text + learnt))


def _cards(story: Story) -> Iterator[tuple[str, str]]:
    total = f" of {story.total_steps:,}" if story.total_steps else ""
    yield "Steps", f"{story.step:,}{total}"
    losses = story.series["loss"]
    if losses.values:
        last = smoothed(list(zip(losses.steps, losses.values, strict=True)))[-1][1]
        yield "Loss at the end, smoothed", f"{last:.4g}"
    yield "Training time", duration(story.seconds) if story.seconds else ""
    if memory := story.series["vram_gb"].values:
        yield "Most VRAM", f"{max(memory):.1f} GB"
    if rates := sorted(story.series["images_per_s"].values):
        yield "Pictures per second, median", f"{rates[len(rates) // 2]:.3g}"
    yield "Hottest", f"{story.gpu_temp:.0f} °C" if story.gpu_temp else ""
    yield "Began", moment(story.began)
    yield "Last event", moment(story.t)
    yield "Resumed", _times(len(story.resumed)) if story.resumed else ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _model(run: RunDirectory, story: Story, facts: Facts, state: State) -> Html:
    paths = list(story.ending.outputs if story.ending else ()) or list(story.saved)[-1:]
    if not paths:
        left = "; its state can be resumed" if story.checkpoints and state != "done" else ""
        return tag("section", tag("h2", "Model"), tag("p", f"No model was saved{left}."))
    shown = [facts.places.name_of(path, run) for path in paths]
    files = [
        tag("li", tag("code", name), f" {size(story.saved.get(path, 0.0))}")
        for name, path in zip(shown, paths, strict=True)
    ]
    where = (
        "in the run's folder" if str(paths[0]).startswith(str(run.path)) else "in the folder of save.output_dir"
    )
    is_lora = facts.config is not None and facts.config.method.train == "lora"
    base = Path((facts.config.model.base if facts.config else "") or "").name
    uses = how_to_use(
        shown[0],
        is_lora=is_lora,
        has_yaml=any(name.endswith(".yaml") for name in shown),
        base=base,
        prompts=[facts.places.inside(prompt) for prompt in facts.prompts],
    )
    parts = [
        tag("section", tag("h3", use.program), tag("p", use.text), tag("pre", use.code) if use.code else "")
        for use in uses
    ]
    uploads = [tag("p", f"Uploaded: {facts.places.outside(text)}") for text in story.uploads]
    others = [facts.places.name_of(path, run) for path in story.saved if path not in paths]
    more = tag("p", f"Saved on the way: {', '.join(others)}", class_="faint") if others else Html("")
    heading = tag("h2", "Model" if state == "done" else "The newest model")
    listed = joined(tag("p", f"These lie {where}:"), tag("ul", *files))
    return tag("section", heading, listed, *uploads, more, tag("div", *parts, class_="uses"))


def _warnings(story: Story, facts: Facts) -> Html:
    if not story.warnings and not story.followed:
        return Html("")
    items = [tag("li", facts.places.outside(text)) for text in story.warnings]
    followed = [tag("li", facts.places.outside(text)) for text in story.followed]
    warned = joined(tag("h2", f"Warnings and remarks ({len(items)})"), tag("ul", *items)) if items else ""
    after = joined(tag("h2", "Afterwards"), tag("ul", *followed)) if followed else ""
    return tag("section", warned, after)
