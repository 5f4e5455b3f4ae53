from textual.app import App
from textual.binding import Binding

from dbtui.wizard.widgets.choices import Choice, Choices

FRUIT = [Choice("a", "Apple", ("red or green", "grows on trees")), Choice("b", "Banana"), Choice("b2", "Berry")]


class _Asks(App):
    BINDINGS = [Binding("2", "nothing", "the screen's own"), Binding("enter", "go_on", "go on")]  # noqa: RUF012

    def __init__(self, choices):
        super().__init__()
        self.choices = choices
        self.told, self.went_on = [], 0

    def compose(self):
        yield self.choices

    def on_choices_changed(self, event):
        self.told.append(event.value)

    def action_nothing(self):
        self.told.append("nothing")

    def action_go_on(self):
        self.went_on += 1


def shown(app):
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips()).rstrip()


async def test_arrows_letters_and_digits_choose_at_once():
    app = _Asks(Choices(FRUIT, chosen="b"))
    async with app.run_test(size=(40, 10)) as pilot:
        assert app.choices.value == "b"
        await pilot.press("tab", "down", "down", "up", "home", "end", "1")
        assert app.told == ["b2", "b", "a", "b2", "a"]
        await pilot.press("b", "b", "b", "x")
        assert app.told[5:] == ["b", "b2", "b"]


async def test_keys_of_the_screen_come_first_and_enter_is_left_to_it():
    app = _Asks(Choices(FRUIT))
    async with app.run_test() as pilot:
        await pilot.press("tab", "2", "enter")
        assert (app.told, app.went_on, app.choices.value) == (["nothing"], 1, "a")


async def test_setting_the_value_and_other_choices_are_silent():
    app = _Asks(Choices(FRUIT))
    async with app.run_test() as pilot:
        app.choices.value = "b"
        await app.choices.show([Choice("c", "Cherry"), Choice("b", "Banana")])
        await pilot.pause()
        assert (app.choices.value, app.told) == ("b", [])
        await app.choices.show([])
        await pilot.press("tab", "down", "1")
        assert app.choices.value == ""


async def test_a_sign_marks_the_choice_and_texts_are_plain():
    hostile = Choice("h", "[red]x[/]\x1b]0;t\x07", ("\u202eabc",), note="[b]n[/b]")
    app = _Asks(Choices([*FRUIT[:1], hostile], chosen="h"))
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        text = shown(app)
        assert "○ Apple" in text
        assert "● [red]x[/]\\x1b]0;t\\x07  [b]n[/b]" in text
        assert "\\u202eabc" in text


async def test_side_by_side_and_the_mouse():
    app = _Asks(Choices(FRUIT, beside=True))
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.pause()
        first = shown(app).splitlines()[0]
        assert [name in first for name in ("Apple", "Banana", "Berry")] == [True] * 3
        await pilot.click(offset=(25, 0))
        assert app.told == ["b"]
        await pilot.press("right")
        assert app.told == ["b", "b2"]
