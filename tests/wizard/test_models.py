import json
import threading

import pytest

import dbtui.wizard.models.search as module
from dbtui.presets.library import find_text
from dbtui.wizard.draft import Draft
from dbtui.wizard.draft_file import state_folder
from dbtui.wizard.models.facts import fact_lines, facts_of, remarks, whole
from dbtui.wizard.models.hub_cache import cached_models, snapshot_of
from dbtui.wizard.models.known import CACHE, TRAINED, KnownModel, Place, models_in, places
from dbtui.wizard.models.search import known_models
from dbtui.wizard.models.settled import take, turn
from dbtui.wizard.recent import MOST, recent_models, remember_model
from tests.wizard.conftest import NARROW, WIDE, screen_text, settle, until
from tests.wizard.model_files import write_lora, write_model
from trainer_core.config.carried import carried_preset
from trainer_core.config.reader import parse_config
from trainer_core.models.hashed import LEGACY, NAME, WHOLE
from trainer_core.models.hashes import legacy_hash, whole_hash

SDXL = "conditioner.embedders.0.model.ln_final.bias"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def web_ui(tmp_path):
    """A folder of ComfyUI in the home folder, with everything that such a folder holds."""
    folder = tmp_path / "home" / "ComfyUI" / "models" / "checkpoints"
    write_model(folder / "v1-5.safetensors")
    write_model(folder / "more" / "v2-768.safetensors", "sd2", metadata={"modelspec.prediction_type": "v"})
    write_model(folder / "xl.safetensors", extra=(SDXL,))
    write_model(folder / "[red]x.safetensors", metadata={"modelspec.title": "\x1b]0;t\x07"})
    write_model(folder / "a\x1b]0;t\x07.safetensors")
    write_lora(folder / "frog.safetensors")
    (folder / "old.ckpt").write_bytes(b"PK\x03\x04" + bytes(2_000_000))
    (folder / "notes.txt").touch()
    return folder


def diffusers_in_cache(tmp_path, hub_id="someone/painter", *, without=""):
    repository = tmp_path / "hub" / f"models--{hub_id.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    stems = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
    for part, stem in stems.items():
        (snapshot / part).mkdir(parents=True)
        config = {"cross_attention_dim": 1024, "in_channels": 4} if part == "unet" else {}
        (snapshot / part / "config.json").write_text(json.dumps(config))
        if part != without:
            write_model(snapshot / part / f"{stem}.safetensors")
    (snapshot / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    (snapshot / "scheduler").mkdir()
    (snapshot / "scheduler" / "scheduler_config.json").write_text('{"prediction_type": "v_prediction"}')
    return snapshot


def test_recent_models_are_few_and_safe():
    assert recent_models() == []
    for number in range(MOST + 5):
        remember_model(f"/models/{number}.safetensors")
    remember_model("/models/7.safetensors")
    remember_model("/models/\x1b]0;t\x07")
    assert recent_models()[:2] == ["/models/7.safetensors", f"/models/{MOST + 4}.safetensors"]
    assert len(recent_models()) == MOST
    path = state_folder() / "recent_models.json"
    for damaged in ("", "[]", '{"models": 3}', '{"models": [3, "", "a\\u202eb", "ok"]}', "[" * 100_000):
        path.write_text(damaged)
        assert recent_models() == (["ok"] if "ok" in damaged else [])
    path.unlink()
    path.mkdir()
    remember_model("/models/1.safetensors")
    assert recent_models() == []


def test_the_models_of_a_place(web_ui):
    found = models_in(Place(web_ui, "ComfyUI"))
    names = [model.name for model in found]
    assert names == [
        "[red]x.safetensors",
        "frog.safetensors",
        "old.ckpt",
        "v1-5.safetensors",
        "xl.safetensors",
        "v2-768.safetensors",
    ]
    assert found[0].where == "~/ComfyUI/models/checkpoints"
    assert models_in(Place(web_ui / "nowhere", "")) == []
    assert models_in(Place(web_ui / "notes.txt", "")) == []


def test_what_was_trained_here(tmp_path):
    write_model(tmp_path / "runs" / "frog-1" / "output" / "frog.safetensors")
    write_model(tmp_path / "runs" / "frog-1" / "checkpoints" / "state.safetensors")
    assert [model.name for model in models_in(Place(tmp_path / "runs", TRAINED))] == ["frog.safetensors"]


def test_no_place_is_looked_at_twice(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "here"))
    folders = [place.folder for below in places(tmp_path / "runs") for place in below]
    assert len(folders) == len(set(folders))
    assert tmp_path / "here" / "ComfyUI" / "models" / "checkpoints" in folders


def test_the_hubs_cache_is_read_without_its_library(tmp_path):
    assert list(cached_models()) == []
    snapshot = diffusers_in_cache(tmp_path)
    diffusers_in_cache(tmp_path, "someone/half", without="vae")
    (tmp_path / "hub" / "models--no--refs").mkdir()
    (tmp_path / "hub" / "version.txt").touch()
    assert list(cached_models()) == ["someone/painter"]
    assert snapshot_of("someone/painter") == snapshot_of("someone/painter", COMMIT) == snapshot
    assert snapshot_of("someone/painter", "../../x") is None
    assert snapshot_of("someone/else") is None


def test_a_hub_id_is_what_lies_in_the_cache(tmp_path):
    diffusers_in_cache(tmp_path)
    facts = facts_of("someone/painter")
    assert (facts.base, facts.info.family, facts.info.prediction, facts.in_cache) == (
        "someone/painter",
        "sd2",
        "v",
        True,
    )
    assert fact_lines(facts)[1].startswith("from the Hub, here already")
    facts = facts_of("someone/else")
    assert (facts.base, facts.info.family, facts.problems) == ("someone/else", None, ())
    assert fact_lines(facts)[1] == "from the Hub, fetched when it is needed"


def test_what_is_told_of_a_file(web_ui, tmp_path):
    facts = facts_of("~/ComfyUI/models/checkpoints/v1-5.safetensors")
    assert facts.base == str(web_ui / "v1-5.safetensors")
    assert fact_lines(facts)[0] == "Stable Diffusion 1.x · predicts noise (epsilon), known from its family"
    assert "SDXL" in facts_of(str(web_ui / "xl.safetensors")).problems[0]
    assert "LoRA" in facts_of(str(web_ui / "frog.safetensors")).problems[0]
    assert facts_of(str(web_ui)).is_begun
    assert facts_of(str(tmp_path / "nothing")).is_begun
    pickle = facts_of(str(web_ui / "old.ckpt"))
    assert "dbtui convert" in remarks(pickle)[0]
    assert remarks(pickle)[0].endswith(
        "~/ComfyUI/models/checkpoints/old.ckpt ~/ComfyUI/models/checkpoints/old.safetensors"
    )
    assert (pickle.sign, facts.sign) == ("?", "✓")
    no_vae = write_model(tmp_path / "no_vae.safetensors", without="first_stage_model.")
    assert "no VAE" in facts_of(str(no_vae)).problems[0]
    with_vae = facts_of(str(no_vae), vae="~/ComfyUI/models/checkpoints/v1-5.safetensors")
    assert with_vae.problems == ()
    assert with_vae.vae == str(web_ui / "v1-5.safetensors")
    assert whole("") == ""
    assert whole("'/a b.ckpt'") == "/a b.ckpt"


def test_what_a_model_predicts_is_settled_for_that_model_alone(tmp_path):
    guess = facts_of(str(write_model(tmp_path / "guess.safetensors", "sd2")))
    other = facts_of(str(write_model(tmp_path / "other.safetensors", "sd2")))
    draft = Draft()
    draft.set("model.prediction", "v")  # in another step
    assert not take(draft, other)
    draft.set("model.prediction", None)
    said = []
    for _ in range(3):
        turn(draft, guess)
        said.append(draft.get("model.prediction"))
    assert said == ["epsilon", "v", None]
    turn(draft, guess)
    assert take(draft, other)
    assert draft.get("model.prediction") is None
    assert take(draft, guess)
    assert draft.get("model.prediction") == "epsilon"
    told = facts_of(
        str(write_model(tmp_path / "v.safetensors", "sd2", metadata={"modelspec.architecture": "x-v"})),
        prediction="epsilon",
    )
    assert "its metadata says otherwise" in remarks(told)[0]


async def test_used_models_come_first_and_what_is_gone_is_left_out(web_ui, tmp_path):
    remember_model(str(tmp_path / "gone.safetensors"))
    remember_model(str(web_ui / "xl.safetensors"))
    remember_model(str(web_ui / "v1-5.safetensors"))
    remember_model(str(write_model(tmp_path / "elsewhere.safetensors")))
    diffusers_in_cache(tmp_path)
    async for found in known_models(tmp_path / "runs"):
        models = found
    assert [(m.known.name, m.kind, m.known.owner) for m in models] == [
        ("elsewhere.safetensors", "SD 1.x", "used before"),
        ("v1-5.safetensors", "SD 1.x", "ComfyUI"),
        ("xl.safetensors", "SDXL model", "ComfyUI"),
        ("[red]x.safetensors", "SD 1.x", "ComfyUI"),
        ("frog.safetensors", "LoRA", "ComfyUI"),
        ("old.ckpt", "a pickle", "ComfyUI"),
        ("someone/painter", "SD 2.x v", CACHE),
        ("v2-768.safetensors", "SD 2.x v", "ComfyUI"),
    ]
    assert [m.was_used for m in models] == [True] * 3 + [False] * 5


async def test_a_place_that_hangs_keeps_from_nothing(open_app, web_ui, monkeypatch):
    answer = threading.Event()

    def hangs():
        answer.wait(60)
        return [KnownModel("late/model", CACHE)]

    monkeypatch.setattr(module, "models_in_cache", hangs)
    async with open_app(size=NARROW) as (app, pilot):
        app.screen.action_visit("models")
        await until(pilot, lambda: "6 found" in screen_text(app), "the others are shown")
        assert "looking" in screen_text(app)
        answer.set()
        await until(pilot, lambda: "late/model" in screen_text(app), "it has answered")
        await settle(pilot)
        assert "looking" not in screen_text(app)


@pytest.mark.parametrize(("size", "name"), [(NARROW, "models_narrow"), (WIDE, "models_wide")])
async def test_what_it_looks_like(open_app, looks_like, web_ui, size, name):
    remember_model(str(web_ui / "v1-5.safetensors"))
    async with open_app(size=size) as (app, pilot):
        app.screen.action_visit("models")
        await settle(pilot)
        await pilot.press("end")
        await settle(pilot)
        await looks_like(pilot, name)


async def test_a_new_run_as_a_model_was_trained(open_app, web_ui, tmp_path):
    base = web_ui / "v1-5.safetensors"
    facts = {NAME: base.name, LEGACY: legacy_hash(base), WHOLE: whole_hash(base)}
    config = parse_config(
        'schema = 1\nextends = "sd15-lora-8gb"\n[network]\nrank = 4\n', "x", find_preset=find_text
    )
    write_lora(web_ui / "a-frog.safetensors", {"dbtui.preset": carried_preset(config), **facts})
    async with open_app(size=NARROW) as (app, pilot):
        app.screen.action_visit("models")
        await settle(pilot)
        await pilot.press("down")
        await until(pilot, lambda: "f  a new run with the settings" in screen_text(app), "it is offered")
        await pilot.press("up", "f")
        await settle(pilot)
        assert not app.draft.is_begun
        await pilot.press("down")
        await until(pilot, lambda: "f  a new run with the settings" in screen_text(app), "it is offered")
        await pilot.press("f")
        await until(pilot, lambda: app.draft.is_begun, "the draft is there")
        await settle(pilot)
    assert (app.draft.preset, app.draft.get("network.rank"), app.draft.step) == ("sd15-lora-8gb", 4, "subject")
    assert app.draft.get("model.base") == str(base)


async def test_settings_that_are_hostile_are_told(open_app, web_ui):
    write_lora(web_ui / "a-frog.safetensors", {"dbtui.preset": 'schema = 1\n[model]\nbase = "/etc/\u202ex"\n'})
    async with open_app(size=NARROW) as (app, pilot):
        app.screen.action_visit("models")
        await settle(pilot)
        await pilot.press("down")
        await until(pilot, lambda: "f  a new run with the settings" in screen_text(app), "it is offered")
        await pilot.press("f")
        await until(
            pilot,
            lambda: "belongs to one machine" in " ".join(screen_text(app).replace("│", " ").split()),
            "it is told",
        )
        assert "\u202e" not in screen_text(app)
        assert not app.draft.is_begun


async def test_none(open_app, looks_like):
    async with open_app(size=NARROW) as (app, pilot):
        app.screen.action_visit("models")
        await settle(pilot)
        await looks_like(pilot, "models_none")
        await pilot.press("enter", "escape")
        await settle(pilot)
        assert len(app.screen_stack) == 1


async def test_a_new_run_from_one(open_app, looks_like, web_ui):
    async with open_app(size=NARROW) as (app, pilot):
        app.screen.action_visit("models")
        await settle(pilot)
        await pilot.press("down", "enter")
        await settle(pilot)
        await looks_like(pilot, "models_not_usable")
        await pilot.press("down", "down", "enter")
        await settle(pilot)
        assert app.draft.get("model.base") == str(web_ui / "v1-5.safetensors")
        assert app.draft.step == "goal"
