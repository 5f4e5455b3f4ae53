import sys
from types import ModuleType

import pytest
from PIL import Image
from textual.app import App, ComposeResult
from textual.widget import Widget
from textual.widgets import Static

from dbtui.wizard import images
from dbtui.wizard.images import real_picture, settled
from dbtui.wizard.options import AppOptions
from dbtui.wizard.pictures import small
from dbtui.wizard.widgets.gallery import grid_of
from dbtui.wizard.widgets.half_blocks import fitted, half_blocks
from dbtui.wizard.widgets.thumbnail import Thumbnail
from tests.wizard.conftest import screen_text, until
from trainer_core.data.buckets import fit
from trainer_core.data.images import BadPictureError, load_picture, prepare_picture
from trainer_core.errors import UserError


def drawn(size=(64, 64), colour=(200, 30, 40)):
    return Image.new("RGB", size, colour)


def test_a_cell_is_two_pixels():
    picture = Image.new("RGB", (2, 4))
    picture.putdata([(1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0), (5, 0, 0), (6, 0, 0), (7, 0, 0), (8, 0, 0)])
    strips = half_blocks(picture, 2, 2)
    cells = [(cell.style.color.triplet.red, cell.style.bgcolor.triplet.red) for strip in strips for cell in strip]
    assert cells == [(1, 3), (2, 4), (5, 7), (6, 8)]
    assert [strip.text for strip in strips] == ["▀▀", "▀▀"]


@pytest.mark.parametrize(("size", "room"), [((512, 512), (10, 5)), ((1024, 256), (10, 5)), ((64, 512), (10, 5))])
def test_the_shape_is_kept_and_the_picture_is_in_the_middle(size, room):
    strips = half_blocks(drawn(size), *room)
    assert len(strips) == room[1]
    assert {strip.cell_length for strip in strips} == {room[0]}
    full = [strip.text for strip in strips if "▀" in strip.text]
    columns, rows = fitted(size, (room[0], 2 * room[1]))
    assert len(full) == -(-rows // 2)
    assert {text.count("▀") for text in full} == {columns}
    assert abs(len(full[0]) - len(full[0].lstrip()) - (room[0] - columns) / 2) <= 0.5


def test_no_room_is_no_error():
    assert half_blocks(drawn(), 0, 4) == []


def test_a_small_copy_is_the_trainers_own_picture(tmp_path):
    source = Image.effect_noise((700, 420), 60).convert("RGB")
    source.save(tmp_path / "noise.png")
    fitting = fit((700, 420), (320, 256))
    trained = prepare_picture(load_picture(tmp_path / "noise.png"), fitting)
    assert small.small_picture(tmp_path / "noise.png", fitting).tobytes() == trained.tobytes()


def test_copies_are_remembered_and_never_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(small, "KEPT", 2)
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        drawn((40, 40)).save(path)
        assert small.small_picture(path) is small.small_picture(path)
    assert [small.kept_picture(path) is not None for path in paths] == [False, True, True]
    drawn((50, 40)).save(paths[2])
    assert small.kept_picture(paths[2]).size == (40, 40)  # the disk is not asked
    assert small.small_picture(paths[2]).size == small.kept_picture(paths[2]).size == (50, 40)


def test_what_is_no_picture_is_told_and_a_bomb_is_not_decoded(tmp_path, monkeypatch):
    (tmp_path / "page.jpg").write_bytes(b"<html>")
    drawn().save(tmp_path / "bomb.png")
    monkeypatch.setattr("trainer_core.data.images.MAX_PIXELS", 100)
    for name, words in (
        ("page.jpg", "web page"),
        ("bomb.png", "the limit is 100"),
        ("gone.png", "cannot be read"),
    ):
        with pytest.raises(BadPictureError, match=words):
            small.small_picture(tmp_path / name)


class _Shown(App[int]):
    def __init__(self, source, way="half"):
        super().__init__()
        self.options = AppOptions(runs_dir=None, images=way)
        self.source = source

    def compose(self) -> ComposeResult:
        yield Thumbnail(self.source)


@pytest.mark.parametrize(("way", "words"), [("half", "▀▀▀▀▀▀"), ("auto", "▀▀▀▀▀▀"), ("off", "frog.png 64 x 64")])
async def test_a_file_is_loaded_and_shown(tmp_path, way, words):
    drawn().save(tmp_path / "frog.png")
    app = _Shown(tmp_path / "frog.png", way)
    async with app.run_test(size=(30, 8)) as pilot:
        await until(pilot, lambda: app.query_one(Thumbnail).is_loaded, "the picture is there")
        await pilot.pause()
        assert words in screen_text(app)
        app.query_one(Thumbnail).show(drawn((64, 32)))
        await pilot.pause()
        assert ("64 x 32" if way == "off" else "▀▀▀▀▀▀") in screen_text(app)
        app.query_one(Thumbnail).show(None)
        await pilot.pause()
        assert way != "off" or "64" not in screen_text(app)


async def test_a_hostile_name_is_shown_harmless(tmp_path):
    path = tmp_path / "[@click=app.quit]\x1b]0;x\x07\u202e.png"
    path.write_bytes(b"no picture")
    app = _Shown(path)
    async with app.run_test(size=(60, 8)) as pilot:
        await until(pilot, lambda: app.query_one(Thumbnail).is_loaded, "the reason is there")
        await pilot.pause()
        text = screen_text(app)
        assert "[@click=app.quit]\\x1b]0;x\\x07\\u202e.png" in text.replace("\n", "")
        assert not {"\x1b", "\x07", "\u202e"} & set(text)


async def test_the_last_picture_asked_for_is_the_one_shown(tmp_path):
    drawn((64, 64)).save(tmp_path / "first.png")
    drawn((480, 64)).save(tmp_path / "last.png")
    app = _Shown(tmp_path / "first.png")
    async with app.run_test(size=(30, 8)) as pilot:
        thumbnail = app.query_one(Thumbnail)
        thumbnail.show(tmp_path / "last.png")
        thumbnail.post_message(Thumbnail._Loaded(tmp_path / "first.png", "late"))
        await until(pilot, lambda: thumbnail.is_loaded, "the picture is there")
        await pilot.pause()
        assert "late" not in screen_text(app)
        assert screen_text(app).count("▀") == 30 * 2


class _Library(ModuleType):
    """Stands for textual_image: its widgets draw nothing, but tell what they were given."""

    class TGPImage(Static):
        image: Image.Image | None = None

    class SixelImage(Static):
        image: Image.Image | None = None


@pytest.fixture
def library(monkeypatch):
    """The optional library, which is not installed where the tests run."""
    module = _Library("textual_image.widget")
    monkeypatch.setitem(sys.modules, "textual_image.widget", module)
    return module


@pytest.mark.parametrize(("way", "kind"), [("kitty", _Library.TGPImage), ("sixel", _Library.SixelImage)])
async def test_a_real_picture_fills_as_many_cells_as_its_shape_does(library, way, kind):
    app = _Shown(drawn((640, 320)), way)
    async with app.run_test(size=(30, 20)) as pilot:
        await until(pilot, lambda: app.query_one(Thumbnail).is_loaded, "the picture is there")
        await pilot.pause()
        widget = app.query_one(kind)
        assert widget.image.size == (640, 320)
        assert widget.size == (30, 8)
        assert isinstance(widget, Widget)


def test_half_blocks_wherever_it_is_not_certain(library, monkeypatch):
    """auto asks the terminal only if it is a near one whose name promises pictures."""
    asked = []
    monkeypatch.setattr(images, "find_spec", lambda name: object())
    monkeypatch.setattr(images, "_found", lambda: asked.append(True) or "kitty")
    monkeypatch.setattr("sys.stdin", _Tty())
    monkeypatch.setattr("sys.stdout", _Tty())
    for name in (*images._FAR, *images._MARKS, "TERM", "TERM_PROGRAM"):
        monkeypatch.delenv(name, raising=False)
    assert settled("auto") == "half"
    monkeypatch.setenv("TERM", "xterm-kitty")
    assert settled("auto") == "kitty"
    monkeypatch.setenv("TMUX", "/tmp/tmux")
    assert settled("auto") == "half"
    monkeypatch.delenv("TMUX")
    monkeypatch.setattr(images, "find_spec", lambda name: None)
    assert settled("auto") == "half"
    assert asked == [True]


class _Tty:
    def isatty(self):
        return True


def test_without_the_extra_real_pictures_are_refused_in_words(monkeypatch):
    monkeypatch.setattr(images, "find_spec", lambda name: None)
    assert (settled("half"), settled("off")) == ("half", "off")
    assert real_picture("kitty") is None
    with pytest.raises(UserError, match=r"dbtui\[image\]"):
        settled("sixel")


@pytest.mark.parametrize(
    ("count", "size", "grid"),
    [
        (1, (76, 12), (3, 1, 12)),
        (7, (76, 24), (4, 2, 10)),
        (10_000, (76, 8), (5, 1, 8)),
        (10_000, (76, 23), (3, 2, 11)),
        (10_000, (300, 200), (21, 1, 8)),
        (5, (0, 0), (1, 1, 3)),
    ],
)
def test_pictures_are_as_large_as_lets_all_be_seen(count, size, grid):
    assert grid_of(count, *size) == grid
