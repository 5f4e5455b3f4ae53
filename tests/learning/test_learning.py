"""What a training learns, seen in what the model in the package draws of a subject that it did not know.

benchmarks/learning_short.py trains three times through the trainer's own plan, captions, loss and optimizer, with
one seed, and says what each number is. tools/break_learning.py shows that these tests go red when the text
encoder, the prior loss or the identifier's caption is broken.

Over five seeds, mean and standard deviation: fidelity gained 1.71 and 0.24, fidelity over the class's 1.81 and
0.28, drift kept away 0.94 and 0.06, error fallen 0.12 and 0.02. The margins are more than three of these below
(docs/learning-test.md).
"""

import importlib
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SEED = 1


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        patch.setenv("DBTUI_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        return importlib.import_module("learning_short").learn(tmp_path_factory.mktemp("learning"), seed=SEED)


def test_training_beats_the_start_model_on_fidelity(learned, record_property):
    gained = learned.subject - learned.start
    record_property("measured", gained)
    assert gained > 0.8, learned


def test_the_subject_is_drawn_for_its_identifier_and_not_for_its_class(learned, record_property):
    apart = learned.subject - learned.others
    record_property("measured", apart)
    assert apart > 0.6, learned


def test_class_pictures_beat_none_on_drift(learned, record_property):
    kept = learned.drift_alone - learned.drift
    record_property("measured", kept)
    assert kept > 0.4, learned


def test_the_text_encoder_alone_learns(learned, record_property):
    fallen = 1 - learned.words
    record_property("measured", fallen)
    assert fallen > 0.03, learned
