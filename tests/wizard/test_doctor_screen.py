"""The doctor's screen with made-up findings; tests/process/test_doctor.py has the real ones."""

import threading

import pytest

from dbtui.doctor.finding import Finding
from dbtui.wizard.screens.doctor import DoctorScreen
from tests.wizard.conftest import NARROW, WIDE, screen_text, until

GOOD = Finding("software", "torch", "ok", "2.13.0, built for CUDA 12.8")
NOTE = Finding("GPU", "bf16", "note", "is not possible on this GPU", 'use memory.mixed_precision = "fp16"')
BAD = Finding("system", "disk", "problem", "0.3 GB free in runs \x1b[2J[red]", "free some space \u202eecaps")


def finds(*findings: Finding, tells: str = "torch"):
    def examine(runs_dir, out, tell, stopped):
        tell(tells)
        yield from findings

    return examine


async def test_findings_with_their_signs_and_the_verdict(open_app, looks_like):
    async with open_app(size=NARROW) as (app, pilot):
        app.push_screen(DoctorScreen(finds(GOOD, NOTE)))
        await until(pilot, lambda: "can train" in screen_text(app), "the verdict is told")
        await looks_like(pilot, "doctor_narrow")
        await pilot.press("escape")
        assert len(app.screen_stack) == 1


async def test_a_problem_is_told_with_what_to_do_and_nothing_raw(open_app, looks_like):
    async with open_app(size=WIDE) as (app, pilot):
        app.push_screen(DoctorScreen(finds(GOOD, NOTE, BAD)))
        await until(pilot, lambda: "1 problem" in screen_text(app), "the verdict is told")
        await looks_like(pilot, "doctor_problem_wide")
        assert r"\x1b[2J[red]" in screen_text(app)
        assert r"\u202eecaps" in screen_text(app)


async def test_what_is_looked_at_is_told_and_leaving_waits_for_nothing(open_app, looks_like):
    asked, ended = threading.Event(), threading.Event()

    def examine(runs_dir, out, tell, stopped):
        tell("torch and the GPU's driver")
        yield GOOD
        asked.set()
        while not stopped():
            threading.Event().wait(0.01)
        ended.set()
        yield BAD

    async with open_app(size=NARROW) as (app, pilot):
        screen = DoctorScreen(examine)
        app.push_screen(screen)
        await until(pilot, lambda: asked.is_set() and "built for CUDA" in screen_text(app), "it was found")
        await looks_like(pilot, "doctor_looking")
        await pilot.press("q")
        assert len(app.screen_stack) == 1
        await until(pilot, ended.is_set, "the question was dropped")
        assert screen.findings == [GOOD]


async def test_looking_again_begins_anew_and_forgets_the_look_before(open_app):
    gates = [threading.Event(), threading.Event()]
    looks = iter(((gates[0], GOOD), (gates[1], NOTE)))

    def examine(runs_dir, out, tell, stopped):
        gate, finding = next(looks)
        gate.wait(30)
        yield finding

    async with open_app(size=NARROW) as (app, pilot):
        app.push_screen(DoctorScreen(examine))
        await until(pilot, lambda: "looking around" in screen_text(app), "it looks")
        await pilot.press("r")
        gates[0].set()
        gates[1].set()
        await until(pilot, lambda: "can train" in screen_text(app), "the verdict is told")
        assert app.screen.findings == [NOTE]


async def test_whatever_breaks_is_a_line(open_app):
    def examine(runs_dir, out, tell, stopped):
        yield GOOD
        raise RuntimeError("boom \x1b[31m")

    async with open_app(size=NARROW) as (app, pilot):
        app.push_screen(DoctorScreen(examine))
        await until(pilot, lambda: "stopped: boom" in screen_text(app), "it is told")
        assert r"\x1b[31m" in screen_text(app)


async def test_the_real_examination_is_the_default(open_app, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dbtui.doctor.examine.examine", finds(NOTE))
    async with open_app(size=NARROW) as (app, pilot):
        app.push_screen(DoctorScreen())
        await until(pilot, lambda: "bf16" in screen_text(app) and "can train" in screen_text(app), "it was asked")
