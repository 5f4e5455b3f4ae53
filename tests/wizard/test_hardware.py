"""The hardware step on machines with cards of all kinds; the cards are made up, the presets are the real ones."""

import threading

import numpy
import pytest
from safetensors.numpy import save_file

from dbtui.doctor import graphics
from dbtui.doctor.ask import Answer
from dbtui.doctor.graphics import Gpu, Gpus, find_gpus
from dbtui.presets.compare import compared, given_up
from dbtui.presets.library import user_folder
from dbtui.presets.offer import best, fit, offers
from dbtui.wizard.draft import Draft
from dbtui.wizard.steps import hardware
from dbtui.wizard.steps.hardware import family_of
from dbtui.wizard.steps.hardware_answers import choose_preset, kept_answers
from dbtui.wizard.steps.hardware_needs import needs_answered
from dbtui.wizard.steps.hardware_table import column_at, shown_columns
from dbtui.wizard.steps.hardware_words import (
    Machine,
    fit_words,
    machine_lines,
    needed_words,
    precision_words,
    reason,
)
from dbtui.wizard.widgets.preset_columns import PresetColumns
from tests.wizard.conftest import NARROW, WIDE, screen_text, until
from trainer_core.config.reader import parse_config

RTX = Gpu("NVIDIA GeForce RTX 3060", "580.65", 12.0, 11.4, (8, 6))
T4 = Gpu("Tesla T4", "535.65", 15.0, 14.8, (7, 5))


def card(total: float, free: float | None = None) -> Gpu:
    return Gpu("Card", "1", total, total if free is None else free, (8, 6))


def named(offered, name: str):
    return next(offer for offer in offered if offer.name == name)


def own_preset(name: str, text: str) -> None:
    user_folder().mkdir(parents=True, exist_ok=True)
    (user_folder() / f"{name}.toml").write_text(text)


# What fits, and which is taken.


@pytest.mark.parametrize(
    ("total", "free", "taken"),
    [
        (8.0, 7.4, "sd15-8gb"),
        (11.0, 10.5, "sd15-8gb"),
        (11.99, 10.9, "sd15-16gb"),  # made for a larger card, and predicted to need 10.3 GB
        (11.99, 10.8, "sd15-12gb"),  # which would leave too little free
        (15.0, 14.8, "sd15-24gb"),
        (22.5, 22.3, "sd15-24gb"),  # an A10 is sold as 24 GB
        (80.0, 79.0, "sd15-24gb"),
        (24.0, 10.0, "sd15-8gb"),  # another program holds 14 GB
        (6.0, 5.9, "sd15-6gb"),
        (4.0, 3.9, "sd15-6gb"),  # none fits: the one that needs least
    ],
)
def test_of_those_that_fit_the_one_that_gives_up_least_is_taken(total, free, taken):
    offered, _ = offers("sd1", "full")
    assert best(offered, card(total, free)).name == taken


def test_without_a_card_it_is_the_smallest_that_keeps_full_precision():
    assert best(offers("sd1", "full")[0], None).name == "sd15-12gb"
    assert best(offers("sd2", "full")[0], None).name == "sd21-16gb"
    assert best(offers("sd2", "lora")[0], None).name == "sd21-lora-8gb"


def test_only_presets_of_the_model_and_of_the_kind_are_offered():
    assert [offer.name for offer in offers("sd1", "lora")[0]] == ["sd15-lora-8gb", "sd15-lora-12gb"]
    assert [offer.card for offer in offers("sd2", "full")[0]] == ["8 GB", "12 GB", "16 GB", "24 GB"]
    assert len(offers(None, "full")[0]) == 9


def test_a_persons_own_presets_are_offered_and_broken_ones_counted(monkeypatch, tmp_path):
    monkeypatch.setenv("DBTUI_CONFIG_DIR", str(tmp_path / "config"))
    own_preset(
        "small", 'schema = 1\nextends = "sd15-8gb"\n[preset]\nmin_vram_gb = 5\n[dataset]\nresolution = [384, 384]'
    )
    own_preset("broken", "schema = 1\n[train]\nbatch_size = 0")
    own_preset(
        "any",
        r"""schema = 1
        [preset]
        title = "suits \u001b everything" """,
    )
    offered, broken = offers("sd2", "full")
    assert ([offer.name for offer in offered if offer.is_own], broken) == (["any"], 1)
    assert "\x1b" not in named(offered, "any").title
    assert fit(named(offered, "any"), RTX) == "unknown"
    offered, _ = offers("sd1", "full")
    assert named(offered, "small").card == "5 GB"
    assert best(offered, card(5.0)).name == "sd15-6gb"
    assert best([named(offered, "small")], card(5.0)).name == "small"


# What each gives up: from the settings alone.


def test_what_is_given_up_comes_from_the_settings():
    configs = [offer.config for offer in offers("sd1", "full")[0]]
    assert [given_up(config, configs) for config in configs] == [
        ["precision", "batch", "speed"],
        ["precision", "batch", "speed"],
        ["batch", "speed"],
        ["speed"],
        [],
    ]
    labels = {row.label: row.cells for row in compared(configs)}
    assert labels["weights in"] == ("bf16", "fp16", "float32", "float32", "float32")
    assert labels["steps"] == ("1600", "1600", "1600", "400", "400")
    assert "convolutions" not in labels  # they are alike in that
    both = [offer.config for offer in offers("sd2", "lora")[0]]
    assert given_up(both[0], both) == ["batch", "convolutions"]


def test_every_trade_is_seen():
    def config(text: str):
        return parse_config(f"schema = 1\n{text}", "a preset")

    rich = config('[memory]\nmixed_precision = "bf16"')
    poor = config(
        '[memory]\nattention = "sliced"\n[text_encoder]\ntrain = false\n[dataset]\nresolution = [384, 512]\n'
        "[train]\nepochs = 3\ngradient_accumulation = 4"
    )
    assert given_up(poor, [rich, poor]) == ["speed", "text encoder", "resolution"]
    assert given_up(rich, [rich, poor]) == ["batch"]
    labels = {row.label: row.cells for row in compared([rich, poor])}
    assert labels["speed"] == ("full", "sliced, no 16 bit")
    assert labels["at a time"] == ("1 picture", "1 picture x 4")
    assert labels["steps"][1] == "3 passes"


# What is said.


def test_the_reason_fits_the_card():
    offered, _ = offers("sd1", "full")
    by = {offer.card: offer for offer in offered}

    def why(size: str, gpu: Gpu | None) -> str:
        return reason(by[size], offered, Gpus((gpu,), 0) if gpu else Gpus())

    assert why("16 GB", RTX) == (
        "sd15-16gb fits with 1.1 GB to spare, and gives up least of those that fit. Its 10.3 GB are predicted, not"
        " measured."
    )
    assert why("8 GB", RTX).startswith("sd15-8gb fits with 4.7 GB to spare, by your choice.")
    assert "does not fit: 1.9 GB short; its memory may run out" in why("24 GB", RTX)
    assert "so little that it may run out" in why("8 GB", card(12.0, 6.8))
    assert "other programs hold 16.0 GB of the card, else more" in why("8 GB", card(24.0, 8.0))
    assert "end them first" in why("24 GB", card(24.0, 8.0))
    assert "0.8 GB short, and the others need more; a smaller resolution" in why("6 GB", card(4.0))
    assert why("12 GB", None).startswith("12 GB, the smallest that keeps full precision.")
    assert why("24 GB", None).startswith("24 GB, by your choice.")
    assert why("8 GB", None).endswith("it would not start here.")


def test_the_machine_in_words():
    assert machine_lines(Machine(Gpus((RTX,), 0), 93 * 10**9)) == [
        "RTX 3060 · 12.0 GB, 11.4 free · driver 580.65 · bf16 yes",
        "93.0 GB of disk free",
    ]
    several = machine_lines(Machine(Gpus((RTX, T4), 1), 10**9))
    assert several[0].startswith("Tesla T4")
    assert several[1] == "also here: RTX 3060; CUDA_VISIBLE_DEVICES says which one trains"
    assert several[2].endswith("that is little")
    assert "hidden by CUDA_VISIBLE_DEVICES" in machine_lines(Machine(Gpus((RTX,)), None))[0]
    assert machine_lines(Machine(Gpus((Gpu("\x1b[2J"),), 0), None)) == [r"\x1b[2J"]


def test_the_driver_is_asked_without_torch(monkeypatch):
    facts = {"name": "T4", "driver": "535", "vram_gb": 15.0, "used_gb": 0.5, "capability": [7, 5]}
    monkeypatch.setattr(graphics, "ask", lambda *_: Answer({"gpus": [facts], "first": 0, "error": None}))
    assert find_gpus().used == Gpu("T4", "535", 15.0, 14.5, (7, 5))
    assert find_gpus().used.has_bf16 is False
    monkeypatch.setattr(graphics, "ask", lambda *_: Answer(None, "gave no answer in 15 s"))
    assert (find_gpus().used, find_gpus().failure) == (None, "the driver gave no answer in 15 s")


def test_the_answers_count_in_what_is_needed():
    """A larger batch makes one preset too large; answers that do not go together with a preset change nothing."""
    offered, _ = offers("sd1", "full")
    draft = draft_of(train__batch_size=32)
    before, after = (named(found, "sd15-24gb") for found in (offered, needs_answered(offered, draft, "sd1")))
    assert (fit(before, RTX), fit(before, card(16.0)), fit(after, card(16.0))) == ("no", "yes", "no")
    assert after.needed_gb > before.needed_gb
    draft = draft_of(memory__full_bf16=True, optimizer__type="prodigy", memory__mixed_precision="bf16")
    assert needs_answered(offered, draft, "sd1") == offered


def test_what_cannot_be_predicted_goes_by_its_authors_word(monkeypatch, tmp_path):
    monkeypatch.setenv("DBTUI_CONFIG_DIR", str(tmp_path / "config"))
    own_preset(
        "slow", 'schema = 1\nextends = "sd15-8gb"\n[preset]\nmin_vram_gb = 8\n[memory]\nattention = "sliced"'
    )
    offered, _ = offers("sd1", "full")
    slow = named(offered, "slow")
    assert (slow.needed_gb, needed_words(slow)) == (None, "?")
    assert [fit_words(slow, each) for each in (card(4.0), card(12.0, 2.0), card(12.0))] == [
        "✗ no",
        "! not now",
        "✓ yes",
    ]
    assert reason(slow, offered, Gpus((card(4.0),), 0)) == (
        "slow is made for a larger card than this one; its memory may run out."
    )


def test_a_column_says_by_how_much():
    offered, _ = offers("sd1", "full")
    largest = named(offered, "sd15-24gb")
    assert needed_words(largest) == "13.3 GB"
    said = [fit_words(largest, each) for each in (card(12.0), card(14.0), card(80.0), card(24.0, 8.0))]
    assert said == ["✗ 1.3 GB short", "✓ 0.7 GB spare", "✓ 67 GB spare", "! not now"]


# fp16 in the place of bf16.


def test_a_card_without_bf16_gets_fp16_and_another_preset_or_card_takes_it_back():
    offered, _ = offers("sd1", "full")
    draft = Draft()
    choose_preset(draft, named(offered, "sd15-16gb"), T4)
    assert (draft.preset, draft.get("memory.mixed_precision")) == ("sd15-16gb", "fp16")
    assert "used with fp16" in precision_words("bf16", "fp16", T4)
    choose_preset(draft, named(offered, "sd15-8gb"), T4)  # fp16 by itself
    assert draft.get("memory.mixed_precision") is None
    choose_preset(draft, named(offered, "sd15-16gb"), T4)
    choose_preset(draft, named(offered, "sd15-16gb"), RTX)
    assert (draft.get("memory.mixed_precision"), draft.aside) == (None, {})
    assert precision_words("bf16", "bf16", RTX) == ""


def test_answers_that_no_choice_changes_are_told():
    offered, _ = offers("sd1", "full")
    draft = Draft()
    draft.set("train.batch_size", 2)
    draft.set("train.seed", 7)  # the presets do not differ in it
    assert kept_answers(draft, offered) == ["train.batch_size"]
    choose_preset(draft, named(offered, "sd15-12gb"), T4)  # fp16 in the place of bf16 is no answer of the person
    assert kept_answers(draft, offered) == ["train.batch_size"]


def test_whoever_puts_bf16_back_keeps_it_and_is_told():
    offered, _ = offers("sd1", "full")
    draft = Draft()
    choose_preset(draft, named(offered, "sd15-16gb"), T4)
    draft.set("memory.mixed_precision", "bf16")
    choose_preset(draft, named(offered, "sd15-12gb"), T4)
    assert draft.get("memory.mixed_precision") == "bf16"
    assert "would refuse to start" in precision_words("bf16", "bf16", T4)


def test_weights_in_bf16_become_weights_in_fp16(monkeypatch, tmp_path):
    monkeypatch.setenv("DBTUI_CONFIG_DIR", str(tmp_path / "config"))
    own_preset("half", 'schema = 1\nextends = "sd15-12gb"\n[memory]\nfull_bf16 = true')
    draft = Draft()
    choose_preset(draft, named(offers("sd1", "full")[0], "half"), T4)
    assert draft.get("memory") == {"mixed_precision": "fp16", "full_fp16": True}


# The columns.


def test_the_chosen_column_is_always_shown():
    for count in range(1, 12):
        for chosen in range(count):
            columns = shown_columns(count, chosen, 76)
            assert chosen in columns
            assert 0 <= columns.start < columns.stop <= count
            assert len(columns) == min(count, 4)
    assert column_at(5, range(4)) is None
    assert column_at(14, range(2, 6)) == 2
    assert column_at(75, range(2, 4)) is None


# The screen.


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path):
    """Say which cards this machine has; its disk has 93 GB free, and the person no presets."""
    monkeypatch.setenv("DBTUI_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr(hardware, "free_disk", lambda folder: 93 * 10**9)

    def has(*gpus: Gpu, **more) -> None:
        found = Gpus(gpus, 0 if gpus else None, **more)
        monkeypatch.setattr(hardware, "find_gpus", lambda stopped: found)

    return has


def draft_of(family: str = "sd1", **answers) -> Draft:
    draft = Draft()
    draft.set("model.family", family)
    for key, value in answers.items():
        draft.set(key.replace("__", "."), value)
    return draft


def looked(app):
    return lambda: getattr(app.screen, "machine", None) and app.screen.query_one("#reason").visual


async def test_the_best_is_chosen_and_the_reason_said(open_app, machine, looks_like):
    machine(RTX)
    async with open_app(size=NARROW, step="hardware", draft=draft_of()) as (app, pilot):
        await until(pilot, looked(app), "the machine was looked at")
        await looks_like(pilot, "hardware_12gb_narrow")
        assert app.draft.preset == "sd15-16gb"
        await pilot.press("right")
        assert app.draft.preset == "sd15-24gb"
        assert "1.9 GB short" in screen_text(app)
        await pilot.press("left", "left")
        await pilot.click(PresetColumns, offset=(32, 1))
        assert app.draft.preset == "sd15-8gb"
        await pilot.press("right", "right", "home", "enter")
        assert (app.draft.preset, app.draft.step) == ("sd15-6gb", "training")


async def test_wide(open_app, machine, looks_like):
    machine(RTX, T4)
    async with open_app(size=WIDE, step="hardware", draft=draft_of("sd2", method__train="lora")) as (app, pilot):
        await until(pilot, looked(app), "the machine was looked at")
        await looks_like(pilot, "hardware_lora_wide")
        assert app.draft.preset == "sd21-lora-12gb"


async def test_a_card_without_bf16_says_so(open_app, machine, looks_like):
    machine(T4)
    async with open_app(size=NARROW, step="hardware", draft=draft_of()) as (app, pilot):
        await until(pilot, looked(app), "the machine was looked at")
        await looks_like(pilot, "hardware_no_bf16")
        assert app.draft.get("memory.mixed_precision") == "fp16"


async def test_no_card_and_a_model_of_unknown_family_still_lets_one_choose(open_app, machine, looks_like):
    machine()
    draft = Draft()
    draft.set("model.base", "owner/some-model")
    async with open_app(size=NARROW, step="hardware", draft=draft) as (app, pilot):
        await until(pilot, looked(app), "the machine was looked at")
        await looks_like(pilot, "hardware_no_card")
        await pilot.press("end", "enter")
        assert (app.draft.preset, app.draft.step) == ("sd21-24gb", "training")


def test_the_family_is_read_from_the_model(tmp_path):
    """From a file with the few names and shapes that tell it."""
    shapes = {
        "model.diffusion_model.input_blocks.0.0.weight": (2, 4, 3, 3),
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (2, 1024),
        "model.diffusion_model.out.2.weight": (4, 2, 3, 3),
        "cond_stage_model.model.ln_final.bias": (2,),
    }
    save_file({name: numpy.zeros(shape, "float32") for name, shape in shapes.items()}, tmp_path / "m.safetensors")
    draft = Draft()
    for base, family in (("m.safetensors", "sd2"), ("gone.safetensors", None)):
        draft.set("model.base", str(tmp_path / base))
        assert family_of(draft) == family
    draft.set("model.family", "sd1")
    assert family_of(draft) == "sd1"


async def test_a_choice_made_before_stays_and_one_for_another_kind_does_not(open_app, machine):
    machine(RTX)
    draft = draft_of()
    draft.preset = "sd15-8gb"
    async with open_app(size=NARROW, step="hardware", draft=draft) as (app, pilot):
        await until(pilot, looked(app), "the machine was looked at")
        assert app.draft.preset == "sd15-8gb"
        app.draft.set("method.train", "lora")
        await pilot.press("escape")
        app.go_by(1)
        await until(pilot, lambda: app.draft.preset == "sd15-lora-12gb", "another preset was taken")


async def test_a_driver_that_hangs_or_breaks_keeps_nobody_from_choosing(
    open_app, machine, monkeypatch, looks_like
):
    asked = threading.Event()

    def hang(stopped):
        asked.set()
        while not stopped():
            threading.Event().wait(0.01)
        raise RuntimeError("the driver \x1b[31mbroke")

    machine()
    monkeypatch.setattr(hardware, "find_gpus", hang)
    async with open_app(size=NARROW, step="hardware", draft=draft_of()) as (app, pilot):
        await until(pilot, lambda: asked.is_set() and app.screen.offered, "the driver was asked")
        await pilot.press("enter")
        await looks_like(pilot, "hardware_waiting")
        monkeypatch.setattr(hardware, "find_gpus", lambda stopped: 1 / 0)
        await pilot.press("escape")
        app.go_by(1)
        await until(pilot, looked(app), "the machine was looked at")
        assert "no answer about a GPU: division by zero" in screen_text(app)
        await pilot.press("enter")
        assert (app.draft.preset, app.draft.step) == ("sd15-12gb", "training")


async def test_a_disk_that_hangs_keeps_nobody_from_choosing(open_app, machine, monkeypatch):
    answer = threading.Event()
    machine(RTX)
    monkeypatch.setattr(hardware, "_PATIENCE", 0.1)
    monkeypatch.setattr(hardware, "free_disk", lambda _: answer.wait(60))
    async with open_app(size=NARROW, step="hardware", draft=draft_of()) as (app, pilot):
        await until(pilot, looked(app), "the machine was looked at")
        assert "of disk free" not in screen_text(app)
        await pilot.press("enter")
        assert (app.draft.preset, app.draft.step) == ("sd15-16gb", "training")
        answer.set()
