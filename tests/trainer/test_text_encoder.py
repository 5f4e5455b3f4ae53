"""The text encoder's share: its own rate, its end, what is cached, long and unfilled texts, another tokenizer."""

import pytest
import torch

from trainer_core.config.schema import Prompt, TextEncoder
from trainer_core.errors import UserError
from trainer_core.models.tiny import build_tiny
from trainer_core.models.tokenizer import BOS_ID, EOS_ID
from trainer_core.text_training import text_encoder_steps
from trainer_core.train.checkpoint import newest_valid, save_checkpoint
from trainer_core.train.loop import StepReport, train
from trainer_core.train.preview import draw
from trainer_core.train.reading import read_texts
from trainer_core.train.resume import checkpoint_of, restore
from trainer_core.train.session import Session

STEPS, STOP = 5, 3
FEW = {"max_steps": STEPS, "workers": 1}
CAPTIONS = ["sls frog", "frog"]


def weights(job, component=None):
    groups = [group for group in job.groups if component in (None, group.component)]
    return {name: value.detach().clone() for group in groups for name, value in group.parameters.items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def losses(reports):
    return [report.loss for report in reports]


STOPS = {
    "full": {},
    "captions vary": {"dataset": {"caption_dropout_rate": 0.5, "caption_suffix": "a, b", "shuffle_caption": True}},
    "lora": {"method": {"train": "lora"}, "network": {"rank": 2, "dropout": 0.2, "scale_weight_norms": 1e-3}},
}


@pytest.mark.parametrize("case", ["full", pytest.param("captions vary", marks=pytest.mark.slow), "lora"])
def test_the_training_of_the_text_encoder_ends_and_resumes_exactly(case, make_job, run_job, tmp_path, monkeypatch):
    tables = {"train": FEW, "text_encoder": {"stop_at_step": STOP, "learning_rate": 3e-4}, **STOPS[case]}
    whole = make_job(**tables)
    seen, reports, left = {}, [], []
    monkeypatch.setattr(whole.model.text_encoder, "to", lambda place: left.append((whole.step, place)))

    def watch():
        seen[whole.step] = weights(whole, "text_encoder"), weights(whole, "unet")
        return True

    train(whole, reports.append, watch)
    for step in range(2, STEPS + 1):  # its weights move while it is trained and not after, the U-Net's always
        assert same(seen[step - 1][0], seen[step][0]) is (step > STOP)
        assert not same(seen[step - 1][1], seen[step][1])
    assert [report.text_encoder_rate for report in reports] == [3e-4] * STOP + [0.0] * (STEPS - STOP)
    assert {report.learning_rate for report in reports} == {1e-4}

    parts = []
    for part in (STOP - 1, 2, STEPS - STOP - 1):  # resumed before the stop, and after it
        job = make_job(**tables)
        if found := newest_valid(tmp_path)[0]:
            restore(job, found)
        parts += losses(run_job(job, part))
        save_checkpoint(tmp_path, checkpoint_of(job))
    assert parts == losses(reports)
    assert same(weights(whole), weights(job))

    hidden = whole.conditioning(CAPTIONS)
    assert not hidden.requires_grad  # nothing is kept for a backward pass
    assert all(parameter.grad is None for parameter in whole.parameters.values())
    is_cached = case in {"full", "lora"}
    assert (whole.conditioning.embeddings is not None) is is_cached
    assert left == [(STOP, "cpu")] * is_cached


def test_after_the_stop_the_gradient_norm_is_the_unets_alone(make_job, run_job):
    """A run whose text encoder stops at once is the run whose text encoder is frozen, but for the first step."""
    stopped = make_job(train=FEW, text_encoder={"stop_at_step": 1})
    run_job(stopped, 1)
    frozen = make_job(train=FEW, text_encoder={"train": False})
    with torch.no_grad():
        for name, value in stopped.parameters.items():
            frozen.model.module(name.partition(".")[0]).get_parameter(name.partition(".")[2]).copy_(value)
    frozen.conditioning.embeddings = None
    frozen.conditioning.freeze()
    frozen.step = 1
    one, other = (run_job(job, 1)[0] for job in (stopped, frozen))
    assert one.loss == pytest.approx(other.loss, abs=1e-6)
    assert one.grad_norm == pytest.approx(other.grad_norm, rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({}, 40),
        ({"train": False}, 0),
        ({"stop_at_step": 7}, 7),
        ({"stop_at_step": 99}, 40),
        ({"stop_at_epoch": 3}, 12),
        ({"stop_at_fraction": 0.25}, 10),
    ],
)
def test_where_its_training_ends(settings, steps):
    assert text_encoder_steps(TextEncoder(**settings), steps_per_epoch=4, total=40) == steps


def test_its_own_rate_moves_it_alone(make_job, run_job):
    slow, fast = (make_job(train=FEW, text_encoder={"learning_rate": rate}) for rate in (1e-8, 1e-3))
    before = weights(slow)
    for job in (slow, fast):
        run_job(job, 1)

    def moved(job, component):
        after = weights(job, component)
        return max(float((value - before[name]).abs().max()) for name, value in after.items())

    assert moved(slow, "text_encoder") < 1e-6 < 1e-4 < moved(fast, "text_encoder")
    assert moved(slow, "unet") == moved(fast, "unet")


def test_varying_captions_are_read_as_they_come_and_only_some_remembered(make_job, monkeypatch):
    monkeypatch.setattr("trainer_core.train.conditioning.TOKENS_KEPT", 3)
    tables = {"dataset": {"shuffle_caption": True}}
    trained, frozen = (make_job(train=FEW, text_encoder={"train": flag}, **tables) for flag in (True, False))
    texts = [f"a, b, {number}" for number in range(8)]
    with torch.no_grad():
        one_by_one = torch.cat([trained.conditioning([text]) for text in texts])
    together = trained.conditioning([*texts[:4], *texts])
    assert together.requires_grad
    assert not frozen.conditioning(texts).requires_grad
    torch.testing.assert_close(together[4:], one_by_one, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together[:4], together[4:8])
    torch.testing.assert_close(frozen.conditioning(texts), one_by_one, atol=1e-5, rtol=1e-4)
    assert len(trained.conditioning._tokens) == 3


def test_without_the_cache_a_frozen_text_encoder_is_asked_each_time(make_job):
    job = make_job(train=FEW, text_encoder={"train": False}, dataset={"cache_text": False})
    assert job.conditioning.embeddings is None
    assert not job.conditioning(CAPTIONS).requires_grad


def test_each_text_of_a_batch_is_encoded_once(make_job, monkeypatch):
    job = make_job(train=FEW)
    asked = []
    encode = job.model.family.encode
    monkeypatch.setattr(
        job.model.family, "encode", lambda module, ids, skip: asked.append(ids) or encode(module, ids, skip)
    )
    hidden = job.conditioning(["frog", "sls frog", "frog"])
    assert [len(ids) for ids in asked] == [2]
    assert torch.equal(hidden[0], hidden[2])
    assert not torch.equal(hidden[0], hidden[1])


def test_the_rate_is_in_the_events_where_it_is_its_own(recorder):
    session = Session(None, None, recorder, None, None)
    for own in (None, 5e-7):
        session.report(StepReport(1, 1, 0.5, 1e-6, 1.0, 2.0, own))
    without, with_own = recorder.events
    assert "lr_text_encoder" not in without
    assert (with_own["lr"], with_own["lr_text_encoder"]) == (1e-6, 5e-7)


@pytest.mark.parametrize(
    ("settings", "length"), [({}, 77), ({"max_token_length": 150}, 152), ({"no_token_padding": True}, 4)]
)
def test_previews_read_their_prompts_as_the_training_does(settings, length, make_job):
    job, shapes = make_job(text_encoder=settings), []
    job.model.unet.register_forward_pre_hook(lambda module, given: shapes.append(given[2].shape))
    prompt = Prompt(prompt="sls frog", steps=1)
    draw(job.model, prompt, (64, 64), job.device, clip_skip=None, autocast=job.precision.autocast(job.device))
    assert [shape[:2] for shape in shapes] == [(2, length)]


def test_an_impossible_clip_skip_is_refused_at_the_load_at_the_latest():
    """Where the header does not tell, as of a .ckpt; the plan tells the others."""
    model = build_tiny("sd1")
    with pytest.raises(UserError, match="use 1 to 2"):
        read_texts(model, TextEncoder(), 9)


def by_hand(model, words, parts, pad):
    """The hidden states of a text of many one-token words, written out part by part."""
    dog = 1929
    states = []
    for number in range(parts):
        here = max(0, min(75, words - 75 * number))
        row = [BOS_ID, *[dog] * here, EOS_ID]
        row += [pad] * (77 - len(row))
        states.append(model.text_encoder(torch.tensor([row])).last_hidden_state)
    bodies = [state[:, 1:76] for state in states]
    return torch.cat([states[0][:, :1], *bodies, states[-1][:, 76:]], dim=1)


@pytest.mark.parametrize(("family", "pad"), [("sd1", EOS_ID), ("sd2", 0)])
@pytest.mark.parametrize("length", [150, 225])
def test_long_texts_are_read_in_parts(family, pad, length, make_job):
    job = make_job(family, text_encoder={"max_token_length": length}, reg=False)
    for words in (3, 74, 75, 76, 149, 300):
        with torch.no_grad():
            found = job.conditioning(["dog " * words])
            expected = by_hand(job.model, words, length // 75, pad)
        assert found.shape[1] == length + 2
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("is_trained", [True, False])
def test_unfilled_texts_are_as_long_as_the_longest_of_the_batch(is_trained, make_job):
    tables = {"text_encoder": {"no_token_padding": True, "train": is_trained}}
    filled, unfilled = make_job(text_encoder={"train": is_trained}), make_job(**tables)
    with torch.no_grad():
        for captions in (["frog"], ["sls frog", "frog"]):
            reference, found = filled.conditioning(captions), unfilled.conditioning(captions)
            length = 3 if captions == ["frog"] else 4
            assert found.shape[1] == length
            torch.testing.assert_close(found, reference[:, :length], atol=1e-5, rtol=1e-4)
