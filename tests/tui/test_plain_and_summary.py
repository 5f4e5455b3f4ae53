import json
from dataclasses import replace
from pathlib import Path

import pytest

from dbtui.dashboard.facts import read_facts
from dbtui.dashboard.plain import PlainLines
from dbtui.dashboard.state import fold
from dbtui.dashboard.summary import summarize_end
from dbtui.dashboard.words import duration, rate_text
from trainer_core.errors import ExitCode
from trainer_core.run.directory import create_run

RUN_TOML = """
[preset]
title = "12 GB"
[model]
base = "/models/v1-5.safetensors"
[dataset]
train_dir = "{train}"
[train]
max_steps = 800
"""


def test_plain_lines(story, check_golden):
    lines = PlainLines(interval=60).feed(story(412))
    check_golden("plain", "\n".join(lines) + "\n")


def test_plain_lines_do_not_depend_on_how_events_arrive(story):
    plain, events = PlainLines(interval=60), story(412)
    singly = [line for event in events for line in plain.feed([event])]
    assert singly == PlainLines(interval=60).feed(events)


@pytest.mark.row(44)
def test_plain_lines_are_safe():
    lines = PlainLines().feed([{"kind": "warning", "text": "\x1b]0;x\x07\n"}, {"kind": "phase", "name": "\x9b"}])
    assert not any(character in "".join(lines) for character in "\x1b\x07\x9b\n")


@pytest.mark.parametrize("kind", [["x"], {"x": 1}, None, 7, [["step"]]])
def test_an_event_of_no_kind_is_passed_over(kind):
    plain = PlainLines()
    told = plain.feed([{"kind": kind, "t": 1.0}, {"t": 2.0}, {"kind": "warning", "text": "after it", "t": 3.0}])
    assert [line.partition("  ")[2] for line in told] == ["warning: after it"]


def end(state, facts, code: ExitCode, **more) -> str:
    return "\n".join(line.plain for line in summarize_end(state, facts, code, **more))


def finished(story, code: int, outputs: list[str]) -> list[dict]:
    return [*story(412), {"kind": "finished", "exit_code": code, "text": "why", "step": 412, "outputs": outputs}]


def test_the_end_says_where_the_model_is_and_how_to_use_it(story, facts):
    shown = end(fold(finished(story, 0, ["/runs/x/output/frog.safetensors"])), facts, ExitCode.DONE)
    assert "✓ sls-frog-3 is done: 412 steps" in shown
    assert "/runs/x/output/frog.safetensors" in shown
    assert "copy it to models/Stable-diffusion of your web UI, and write: sls frog" in shown
    assert "/runs/sls-frog-3/samples/000400-0.png" in shown
    lora = end(
        fold(finished(story, 0, ["/x/frog.safetensors"])),
        replace(facts, is_lora=True, prompts=("sls frog", "cpc rabbit")),
        ExitCode.DONE,
    )
    assert "copy it to models/Lora of your web UI, and write: <lora:frog:1> sls frog or cpc rabbit" in lora
    folder = end(fold(finished(story, 0, ["/runs/x/output/frog"])), facts, ExitCode.DONE)
    assert 'StableDiffusionPipeline.from_pretrained("/runs/x/output/frog")' in folder


def test_the_end_says_what_became_of_the_upload_and_where_the_report_is(story, facts, tmp_path):
    facts = replace(facts, path=tmp_path)
    (tmp_path / "report.html").write_text("")
    events = finished(story, 0, [])
    events[-1]["text"] = "trained 412 steps; the upload failed"
    shown = end(fold(events), facts, ExitCode.DONE)
    assert "also      the upload failed" in shown
    for code in (ExitCode.DONE, ExitCode.STOPPED, ExitCode.DISK):
        assert f"report    {tmp_path}/report.html" in end(fold(events), facts, code)


def test_the_end_suggests_one_of_the_saved_models_and_says_why(story, facts):
    one = end(fold(finished(story, 0, ["/runs/x/output/frog.safetensors"])), facts, ExitCode.DONE)
    assert "which one only one model was saved" in one
    told = [
        {"kind": "validation", "step": step, "loss": loss, "drift": 0.1 * step, "held_out": 2, "measure": "m"}
        for step, loss in ((0, 0.3), (400, 0.1), (412, 0.2))
    ]
    last = {"kind": "saved", "step": 412, "path": "output/last.safetensors"}
    for number, code in ((0, ExitCode.DONE), (75, ExitCode.STOPPED)):
        *events, ending = finished(story, number, ["output/last.safetensors"])
        shown = end(fold([*events, *told, last, ending]), facts, code)
        assert "suggested /runs/sls-frog-3/output/frog.safetensors" in shown
        assert "why       the loss on 2 held-out pictures is the lowest here (0.3000 before, 0.1000 now)" in shown
        assert "have not seen (0.2000 at step 412)" in shown


def test_a_stop_says_what_was_kept(story, facts):
    assert "stopped at step 412 of 1600" in end(fold(finished(story, 75, ["/o/a.ckpt"])), facts, ExitCode.STOPPED)
    assert "no state was saved yet" in end(fold(story(3)), facts, ExitCode.STOPPED)


def test_a_stop_says_how_to_go_on(story, facts):
    saved = {"kind": "checkpoint", "step": 412, "path": "checkpoints/000412", "seconds": 1.0, "bytes": 5}
    shown = end(fold([*story(412), saved, *finished(story, 75, [])[-1:]]), facts, ExitCode.STOPPED)
    assert "/runs/sls-frog-3/checkpoints/000412" in shown
    assert "dbtui resume /runs/sls-frog-3" in shown


def test_a_run_that_was_resumed_says_what_was_done_in_all(story, facts):
    totals = {"seconds": 4900.0, "images": 1648, "resumes": 2}
    told = {"kind": "checkpoint", "step": 412, "path": "checkpoints/000412", "totals": totals}
    shown = end(fold([*story(412), told, *finished(story, 75, [])[-1:]]), facts, ExitCode.STOPPED)
    assert "in all    1648 pictures in 82 min of steps, resumed 2 times" in shown
    for odd in ({**totals, "resumes": 0}, {"seconds": "x", "images": -1, "resumes": [2]}, "x", None):
        shown = end(fold([*story(412), {**told, "totals": odd}]), facts, ExitCode.STOPPED)
        assert "in all" not in shown


def test_a_failure_says_why_and_where_to_look(story, facts):
    shown = end(fold(finished(story, 7, [])), facts, ExitCode.NON_FINITE)
    assert "failed at step 412 (exit code 7): why" in shown
    assert "/runs/sls-frog-3/console.log" in shown
    silent = end(fold([]), facts, ExitCode.FAILED, death="killed", log=["last words"])
    assert "(exit code 1): killed" in silent
    assert "last words" in silent


def test_several_problems_are_told_in_a_line_each(story, facts):
    failed = {"kind": "failed", "exit_code": 3, "text": "a.png: cut\x1b off\nb.png: empty", "outputs": []}
    lines = end(fold([*story(0), failed]), facts, ExitCode.DATASET).splitlines()
    assert lines[0].endswith("(exit code 3): 2 problems")
    assert [line.strip() for line in lines[1:3]] == ["a.png: cut\\x1b off", "b.png: empty"]


def test_hundreds_of_problems_are_counted(facts):
    text = "\n".join(f"{number}.png: {'empty ' * 10}" for number in range(300))
    shown = end(fold([{"kind": "failed", "exit_code": 3, "text": text}]), facts, ExitCode.DATASET)
    assert "300 problems" in shown
    assert "19.png" in shown
    assert "20.png" not in shown
    assert "and 280 more" in shown
    assert "/runs/sls-frog-3/console.log" in shown


@pytest.mark.parametrize("said_by", ["finished", "saved"])
def test_a_single_file_with_a_yaml_is_copied_with_it(story, facts, tmp_path: Path, said_by: str):
    model, beside = tmp_path / "frog.safetensors", tmp_path / "frog.yaml"
    model.touch()
    beside.touch()
    if said_by == "finished":
        events = finished(story, 0, [str(model), str(beside)])
    else:
        events = [*story(3), {"kind": "saved", "step": 3, "path": str(model)}]
    shown = end(fold(events), facts, ExitCode.DONE)
    assert "copy both it and frog.yaml to models/Stable-diffusion of your web UI" in shown
    assert "from_pretrained" not in shown


def test_facts_come_from_the_run_directory(tmp_path: Path):
    for name in ("20_sls frog", "3_ukj red panda", ".git", "notes"):
        (tmp_path / "train" / name).mkdir(parents=True)
    run = create_run(tmp_path, "r-1", RUN_TOML.format(train=tmp_path / "train"))
    run.process_json.write_text(json.dumps({"gpu": {"name": "RTX 3060", "vram_total_gb": 12}}))
    facts = read_facts(run)
    assert (facts.model, facts.preset, facts.max_steps) == ("v1-5.safetensors", "12 GB", 800)
    assert facts.prompts == ("sls frog", "ukj red panda")
    assert (facts.gpu, facts.vram_total_gb) == ("RTX 3060", 12.0)


@pytest.mark.parametrize("text", ["", "not toml [", "model = 3\nconcept = 5\n", "[model]\nbase = 7\n"])
def test_damaged_files_leave_gaps(tmp_path: Path, text: str):
    run = create_run(tmp_path, "r-1", text)
    run.process_json.write_text("[")
    facts = read_facts(run)
    assert (facts.name, facts.model, facts.prompts) == ("r-1", "", ())


def test_numbers_as_people_write_them():
    assert [duration(value) for value in (5, 100, 840, 12_000, 180_000)] == [
        "5 s",
        "2 min",
        "14 min",
        "3 h 20 min",
        "2 d 2 h",
    ]
    assert [rate_text(value) for value in (1e-6, 2.5e-4, 0.0, None)] == ["1.0e-6", "2.5e-4", "0", "n/a"]
