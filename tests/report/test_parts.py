"""Parts of the report that compute something."""

import math

import pytest

from trainer_core.report.markup import Html, escaped, tag
from trainer_core.report.places import Places
from trainer_core.report.plot import Line, Plot, draw, smoothed, thinned, ticks
from trainer_core.report.previews import Chosen, rows_of, steps_of
from trainer_core.report.story import Preview, fold
from trainer_core.report.use import how_to_use
from trainer_core.run.directory import RunDirectory
from trainer_core.suggestion import Suggestion


def step(number, loss=0.5, mono=None):
    return {"kind": "step", "step": number, "loss": loss, "mono": number * 2.0 if mono is None else mono}


def test_a_resume_does_later_steps_anew():
    events = [step(n) for n in range(1, 8)]
    events += [{"kind": "sample", "step": 6, "path": "p", "prompt": "x", "seed": 1}]
    events += [{"kind": "phase", "name": "sample", "mono": 14.0}, {"kind": "phase", "name": "train", "mono": 99.0}]
    events += [step(8, mono=100.5)]
    events += [{"kind": "resumed", "from_step": 4, "changed": {}}, step(5, loss=0.1, mono=1.0)]
    story = fold(events)
    assert list(story.series["loss"].steps) == [1, 2, 3, 4, 5]
    assert story.series["loss"].values[-1] == 0.1
    assert story.previews == []
    assert story.seconds == 13.5  # six times two seconds, and what came after the previews; no other boot's clock
    assert fold(events[5:], fold(events[:5])) == story


def test_smoothing_is_an_average_corrected_for_its_start():
    points = [(float(n), float(n % 3)) for n in range(1, 200)]
    result = smoothed(points)
    weights = [0.98**back for back in range(100)]
    values = [value for _, value in points[:100]][::-1]
    expected = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    assert result[99][1] == pytest.approx(expected)
    assert smoothed([(5.0, 3.0)]) == [(5.0, 3.0)]


def test_thinning_keeps_the_ends_and_every_extreme():
    points = [(float(n), math.sin(n / 300)) for n in range(10_000)]
    points[5555] = (5555.0, 9.0)
    kept = thinned(points, 100)
    assert kept == sorted(kept)
    assert len(kept) <= 400
    assert {points[0], points[-1], points[5555]} <= set(kept)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.091, 0.2137), (0.0, 1.05e-6), (-3.0, 8.0), (9.99, 10.0)])
def test_ticks_are_round_and_few(low, high):
    values = ticks(low, high)
    assert 2 <= len(values) <= 7
    assert all(low - 1e-9 <= value <= high * 1.0001 + 1e-9 for value in values)
    assert len({f"{value:.3g}" for value in values}) == len(values) or high - low < 0.1


def test_a_flat_line_and_one_point_can_be_drawn():
    assert "<polyline" in draw(Plot("x", [Line("a", [(1, 0.0), (2, 0.0)], "main")]))
    assert "no numbers yet" in draw(Plot("x", [Line("a", [(1, 0.0)], "main")]))


def test_previews_are_grouped_by_prompt_and_seed():
    drawn = [Preview(s, f"{s}-{n}", "p", n) for s in range(0, 2000, 100) for n in (1, 2)]
    rows = rows_of(drawn)
    assert [(row.prompt, row.seed) for row in rows] == [("p", 1), ("p", 2)]
    shown = steps_of(rows, Chosen(frozenset(), None))
    assert (shown[0], shown[-1], len(shown)) == (0, 1900, 8)
    assert rows[0].untrained == drawn[0]


def test_a_sheet_prefers_the_steps_of_saved_models_and_has_the_one_suggested():
    rows = rows_of(Preview(step, f"{step}", "p", 1) for step in range(0, 2000, 100))
    saved = frozenset(range(200, 2000, 200))
    suggested = Suggestion(1400, "x", "why", is_measured=True)
    for chosen in (suggested, Suggestion(1300, "x", "why", is_measured=True)):
        steps = steps_of(rows, Chosen(saved, chosen))
        assert (steps[0], steps[-1], len(steps)) == (0, 1900, 8)
        assert set(steps[1:-1]) <= saved | {chosen.step}
        assert chosen.step in steps


def test_places_become_names(tmp_path):
    run = RunDirectory(tmp_path / "runs" / "frog")
    places = Places.of(run, ["/data/my pictures/train", "owner/model"])
    assert places.outside(f"saved {run.path}/output/a.safetensors") == "saved output/a.safetensors"
    assert places.outside("bad: /data/my pictures/train/1.png") == "bad: train/1.png"
    assert places.outside("see ~/x/y.txt and /var/z, C:\\Users\\me\\a.png") == "see …/y.txt and …/z, …/a.png"
    kept = "3/4 of https://huggingface.co/owner/name at 512 x 512, and/or owner/model"
    assert places.outside(kept) == kept
    assert places.inside("a photo /w hat") == "a photo /w hat"
    assert places.name_of(str(run.output / "a.ckpt"), run) == "output/a.ckpt"
    assert places.name_of("/mnt/big/a.ckpt", run) == "a.ckpt"


def test_text_is_escaped_and_markup_is_not():
    assert tag("p", "<b>&", Html("<i>x</i>"), title='"') == '<p title="&quot;">&lt;b&gt;&amp;<i>x</i></p>'
    assert escaped("a\u202eb\x1b\n") == "a\\u202eb\\x1b⏎"


def test_how_to_use_a_lora_names_the_start_model():
    uses = how_to_use("output/f.safetensors", is_lora=True, has_yaml=False, base="sd15", prompts=["sls frog"])
    text = " ".join(use.text + use.code for use in uses)
    assert "<lora:f:1> with sd15" in text
    assert "models/loras" in text
    assert 'pipe.load_lora_weights("output/f.safetensors")' in text
    folder = how_to_use("output/f", is_lora=False, has_yaml=False, base="", prompts=[])
    assert [use.code for use in folder] == ['pipe = StableDiffusionPipeline.from_pretrained("output/f")']
    two = how_to_use("output/f.ckpt", is_lora=False, has_yaml=True, base="", prompts=[])
    assert "f.ckpt and f.yaml" in two[0].text
