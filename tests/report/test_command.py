"""`dbtui report`: the page anew, of any run."""

import json
import webbrowser

import pytest

from dbtui.cli.app import run as dbtui
from trainer_core.run.lock import acquire


def test_it_writes_the_page_and_says_where(told, capsys):
    run = told()
    assert dbtui(["report", "--runs-dir", str(run.path.parent)]) == 0
    assert capsys.readouterr().out == f"{run.report}\n"
    first = run.report.read_text()
    run.report.write_text("old")
    assert dbtui(["report", str(run.path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"run": run.name, "report": str(run.report), "bytes": len(first.encode())}
    assert run.report.read_text() == first


def test_a_run_that_lives_is_shown_as_running(told, tmp_path):
    run = told(None)
    lock = acquire(run)
    try:
        assert dbtui(["report", str(run.path), "-o", str(tmp_path / "page.html")]) == 0
    finally:
        lock.release()
    assert "● running" in (tmp_path / "page.html").read_text()
    assert not run.report.exists()


def test_it_opens_where_there_is_a_screen_only(told, monkeypatch, capsys):
    run, opened = told(), []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert dbtui(["report", str(run.path), "--open"]) == 0
    assert opened == []
    assert "there is no browser to open it in here" in capsys.readouterr().err
    monkeypatch.setenv("DISPLAY", ":0")
    assert dbtui(["report", str(run.path), "--open"]) == 0
    assert opened == [run.report.as_uri()]


@pytest.mark.parametrize(
    ("words", "code", "said"), [(["none"], 2, "there is no run"), (["-o", "{no}/x"], 6, "--output")]
)
def test_what_is_wrong_is_said(told, tmp_path, capsys, words, code, said):
    run = told()
    words = [word.replace("{no}", str(tmp_path / "no")) for word in words]
    assert dbtui(["report", "--runs-dir", str(run.path.parent), *words]) == code
    assert said in capsys.readouterr().err
    assert list(run.path.parent.iterdir()) == [run.path]
