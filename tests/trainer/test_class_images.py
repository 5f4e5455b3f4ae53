"""Class pictures drawn by the start model: only what is missing, the same after a stop, used again by the next."""

import signal
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image

from trainer_core.attempt import attempt
from trainer_core.config.schema import Config, Prior
from trainer_core.config.writer import dump_config
from trainer_core.data.dataset import ClassPicture, ClassPictures
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.load import load_model
from trainer_core.run.control import append_command
from trainer_core.run.directory import RunDirectory, create_run
from trainer_core.run.events import EventReader
from trainer_core.train import class_images
from trainer_core.train.class_images import draw_class_pictures

FAST = {"infer_steps": 2}


def pixels(path: Path) -> numpy.ndarray:
    with Image.open(path) as picture:
        return numpy.asarray(picture).astype(int)


@pytest.fixture(scope="module")
def model(model_file: Callable[[str, str], Path]) -> Any:
    config = Config.model_validate({"schema": 1, "model": {"base": str(model_file("sd1", "epsilon"))}})
    return load_model(config.model)


@pytest.fixture
def draw(model: Any, tmp_path: Path, recorder) -> Callable[..., list[Path]]:
    """Draw class pictures into a folder that does not exist yet; return their files."""

    def run(
        name: str, count: int = 2, stop: Callable[[], bool] = lambda: False, negative: str = "", **prior: Any
    ) -> list[Path]:
        folder = tmp_path / "new" / name
        missing = tuple(ClassPicture(path=folder / f"{n}.png", prompt="a frog", seed=10 + n) for n in range(count))
        drawn = ClassPictures(
            folder=folder,
            class_name="frog",
            prompt="a frog",
            negative_prompt=negative,
            present=1,
            foreign=1,
            missing=missing,
        )
        draw_class_pictures(
            [drawn],
            Prior.model_validate({"num_class_images": count + 1, **FAST, **prior}),
            (64, 64),
            model,
            torch.device("cpu"),
            recorder,
            clip_skip=None,
            autocast=nullcontext(),
            should_stop=stop,
        )
        return [picture.path for picture in missing if picture.path.exists()]

    return run


def test_each_setting_changes_the_pictures_and_the_batch_does_not(draw, monkeypatch):
    usual = draw("usual")
    assert len({pixels(path).tobytes() for path in usual}) == 2
    for name, settings in {
        "steps": {"infer_steps": 3},
        "scale": {"guidance_scale": 3.0},
        "negative": {"negative": "toad"},
    }.items():
        assert (pixels(draw(name, count=1, **settings)[0]) != pixels(usual[0])).any(), name
    batches = []
    real = class_images.draw_together

    def counted(model, prompts, *args, **options):
        batches.append(len(prompts))
        return real(model, prompts, *args, **options)

    monkeypatch.setattr(class_images, "draw_together", counted)
    together = draw("together", count=3, sample_batch_size=2)
    assert batches == [2, 1]
    for one, other in zip(usual, together, strict=False):
        assert abs(pixels(one) - pixels(other)).max() <= 2


def test_a_picture_says_what_it_was_drawn_from(draw):
    (path,) = draw("said", count=1, negative="toad", guidance_scale=5.5)
    with Image.open(path) as picture:
        assert picture.info["parameters"] == (
            "a frog\nNegative prompt: toad\nSteps: 2, Sampler: DPM++ 2M, CFG scale: 5.5, Seed: 10, Size: 64x64"
        )


def test_a_stop_is_heeded_between_two_steps_of_a_picture_and_progress_is_told(draw, recorder):
    before_the_first_and_in_each_step, asked = 3, []
    stop = lambda: asked.append(True) or len(asked) > before_the_first_and_in_each_step + 2  # noqa: E731
    assert len(draw("stopped", count=3, stop=stop)) == 1
    assert len(asked) == before_the_first_and_in_each_step + 3  # in the middle of the second picture
    phase, *progress = recorder.events
    assert (phase["kind"], phase["name"], phase["total"]) == ("phase", "class_images", 3)
    assert (progress[0]["done"], progress[0]["total"]) == (0, 3)


def test_the_words_of_a_prompt_are_written_beside_the_picture(model, tmp_path, recorder):
    path = tmp_path / "frogs/0.png"
    picture = ClassPicture(
        path=path, prompt="a frog on a stone", seed=1, words="on a stone", caption=path.with_suffix(".txt")
    )
    drawn = ClassPictures(
        folder=path.parent,
        class_name="frog",
        prompt="a frog [filewords]",
        negative_prompt="",
        present=0,
        foreign=0,
        missing=(picture,),
    )
    prior = Prior.model_validate({"num_class_images": 1, **FAST})
    options = {"clip_skip": None, "autocast": nullcontext(), "should_stop": lambda: False}
    assert draw_class_pictures([drawn], prior, (64, 64), model, torch.device("cpu"), recorder, **options)
    assert path.with_suffix(".txt").read_text() == "on a stone\n"
    with Image.open(path) as image:
        assert image.info["parameters"].startswith("a frog on a stone\n")


def test_a_batch_that_does_not_fit_is_halved_and_every_picture_drawn(draw, monkeypatch, recorder):
    tried, real = [], class_images.draw_together

    def small(model, prompts, *args, **options):
        tried.append(len(prompts))
        if len(prompts) > 2:
            raise torch.OutOfMemoryError("no room")
        return real(model, prompts, *args, **options)

    monkeypatch.setattr(class_images, "draw_together", small)
    assert len(draw("halved", count=3, sample_batch_size=4)) == 3
    assert tried == [3, 2, 1]
    (told,) = (event for event in recorder.events if event["kind"] == "warning")
    assert (told["code"], told["size"]) == ("out_of_memory", 2)


def test_a_single_picture_that_does_not_fit_says_what_to_do(draw, monkeypatch):
    def fail(*args, **options):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(class_images, "draw_together", fail)
    with pytest.raises(UserError, match=r"a single class picture: set memory\.mixed_precision") as told:
        draw("large", sample_batch_size=2)
    assert told.value.code is ExitCode.OUT_OF_MEMORY


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def make_run(
    pictures: Path, model_file: Callable[[str, str], Path], tmp_path: Path
) -> Callable[..., RunDirectory]:
    def make(name: str, class_dir: Path | None = None, **tables: Any) -> RunDirectory:
        concept = {"identifier": "sls", "class": "frog", "instance_dir": str(pictures / "train/2_sls frog")}
        if class_dir:
            concept["class_dir"] = str(class_dir)
        settings = {
            "schema": 1,
            "model": {"base": str(model_file("sd1", "epsilon"))},
            "concept": [concept],
            "dataset": {"resolution": [64, 64]},
            "prior": {"num_class_images": 4, **FAST},
            "train": {"max_steps": 1, "workers": 1},
            **tables,
        }
        return create_run(tmp_path / "runs", name, dump_config(Config.model_validate(settings)))

    return make


def events_of(run: RunDirectory) -> list[dict[str, Any]]:
    return list(EventReader(run.events).poll())


def phases(run: RunDirectory) -> list[str]:
    return [event["name"] for event in events_of(run) if event["kind"] == "phase"]


def test_two_of_four_are_missing_one_is_drawn_then_the_other_then_none(make_run, tmp_path, monkeypatch, capsys):
    frogs = tmp_path / "frogs"
    frogs.mkdir()
    for number in range(2):
        Image.new("RGB", (80, 64), (0, 90 * number, 0)).save(frogs / f"own-{number}.png")
    own = {path.name: path.read_bytes() for path in frogs.iterdir()}
    run = make_run("first", frogs)
    real = class_images.draw_together

    def draw_and_ask_to_stop(*args, **options):
        drawn = real(*args, **options)
        append_command(run, "stop")
        return drawn

    monkeypatch.setattr(class_images, "draw_together", draw_and_ask_to_stop)
    assert attempt(run) is ExitCode.STOPPED
    (first,) = (path for path in frogs.iterdir() if path.name not in own)
    drawn = first.read_bytes()
    assert events_of(run)[-1]["exit_code"] == 75
    assert "train" not in phases(run)
    notes = [event["text"] for event in events_of(run) if event["kind"] == "warning"]
    assert any("kept and counted as they are: 2 pictures (own-0.png, own-1.png)" in note for note in notes)

    monkeypatch.setattr(class_images, "draw_together", real)
    run.control.unlink()  # another process would be younger than the command
    assert attempt(run) is ExitCode.DONE
    assert phases(run).count("class_images") == 2
    assert len(list(frogs.iterdir())) == 4
    assert first.read_bytes() == drawn
    assert {name: (frogs / name).read_bytes() for name in own} == own

    again = make_run("again", frogs, optimizer={"type": "adamw", "learning_rate": 1e-4})
    assert attempt(again) is ExitCode.DONE
    assert "class_images" not in phases(again)
    assert len(list(frogs.iterdir())) == 4

    whole = make_run("uninterrupted", tmp_path / "other")  # none there: the first two are those of before
    assert attempt(whole) is ExitCode.DONE
    assert (pixels(tmp_path / "other" / first.name) == pixels(first)).all()
    names = {path.name for path in (tmp_path / "other").iterdir()}
    assert len(names) == 4
    assert {path.name for path in frogs.iterdir()} - own.keys() < names
