"""The runs of a folder, looked at again and again: the same as one look each, and only what changed is read."""

from dbtui.runs import catalogue as catalogue_module
from dbtui.runs.catalogue import Catalogue
from dbtui.runs.summary import Outline, summarize
from trainer_core.run.directory import create_run
from trainer_core.run.lines import encode_line


def tell(run, *events):
    with run.events.open("ab") as file:
        for number, event in enumerate(events):
            file.write(encode_line({"t": 1.8e9 + number, "mono": 1.0 + number, **event}))


def steps(first, last):
    return [{"kind": "step", "step": step, "loss": 0.1} for step in range(first, last + 1)]


DONE = {"kind": "finished", "exit_code": 0, "step": 3, "text": "done", "outputs": []}


def look(catalogue):
    for _ in catalogue.look():
        pass
    return known(catalogue)


def known(catalogue):
    summaries = {name: catalogue.summary(name) for name in catalogue.names}
    return {name: summary for name, summary in summaries.items() if summary}


def test_it_follows_what_happens(tmp_path, monkeypatch):
    looked = []
    real = summarize
    monkeypatch.setattr(
        catalogue_module, "summarize", lambda run, outline: (looked.append(run.name), real(run, outline))[1]
    )
    catalogue = Catalogue(tmp_path)
    assert look(catalogue) == {}
    first = create_run(tmp_path, "frog-1", "schema = 1\n")
    second = create_run(tmp_path, "frog-2", "schema = 1\n")
    for run in (first, second):
        tell(run, {"kind": "phase", "name": "train", "total": 9}, *steps(1, 3), DONE)
    assert {name: each.status for name, each in look(catalogue).items()} == {"frog-1": "done", "frog-2": "done"}
    looked.clear()
    assert look(catalogue)["frog-1"].state.step == 3
    assert looked == []
    tell(second, {"kind": "phase", "name": "train", "total": 9}, *steps(4, 5))
    assert look(catalogue)["frog-2"].state.step == 5
    assert looked == ["frog-2"]
    (tmp_path / "frog-1" / "run.toml").unlink()
    assert list(look(catalogue)) == ["frog-2"]
    assert catalogue.names == ["frog-2"]


def test_in_pieces_is_as_at_once(tmp_path):
    run = create_run(tmp_path, "frog-1", "schema = 1\n")
    outline = Outline(run.events)
    tell(run, {"kind": "phase", "name": "train", "total": 9000, "steps_per_epoch": 10})
    for first in range(1, 4001, 500):
        tell(run, *steps(first, first + 499))
        piecewise = summarize(run, outline)
    whole = summarize(run)
    assert whole.lifetime_steps == piecewise.lifetime_steps == 4000
    assert whole.state.step == piecewise.state.step == 4000
    run.events.write_bytes(b"")
    tell(run, *steps(1, 2))
    assert summarize(run, outline).lifetime_steps == 2


def test_many_runs_are_told_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue_module, "_AT_ONCE", -1.0)
    for number in range(5):
        create_run(tmp_path, f"frog-{number}", "schema = 1\n")
    catalogue, told = Catalogue(tmp_path), []
    for _ in catalogue.look():
        told.append((len(catalogue.names), len(known(catalogue))))
    assert told == [(5, count) for count in range(1, 6)]
