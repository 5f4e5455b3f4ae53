"""A run that is done goes on only if it shall be longer; which file is a run's configuration."""

import pytest

from trainer_core.config.reader import read_config
from trainer_core.config.writer import dump_config
from trainer_core.errors import ExitCode, UserError
from trainer_core.resume.finished import refuse_finished
from trainer_core.resume.wishes import NO_WISHES, Wishes
from trainer_core.run.directory import create_run
from trainer_core.run.events import EventWriter


@pytest.fixture
def run(tmp_path):
    (tmp_path / "file.toml").write_text("schema = 1\ntrain.max_steps = 60\n")
    return create_run(tmp_path / "runs", "frog", dump_config(read_config(tmp_path / "file.toml")))


def tell(run, *kinds):
    events = EventWriter(run)
    for kind in kinds:
        events.emit(kind)
    events.close()


@pytest.mark.parametrize("kinds", [(), ("failed",), ("finished", "resumed"), ("finished", "resumed", "failed")])
def test_a_run_that_is_not_done_is_not_refused(run, kinds):
    tell(run, *kinds)
    refuse_finished(run, NO_WISHES)


def test_a_run_that_is_done_goes_on_where_it_is_made_longer_and_left_a_state(run):
    tell(run, "finished")
    longer = Wishes(("train.max_steps=61",))
    with pytest.raises(UserError, match="It left no state") as caught:
        refuse_finished(run, longer)
    assert caught.value.code is ExitCode.RESUME
    (run.checkpoints / "000040").mkdir(parents=True)
    refuse_finished(run, longer)
    for wishes in (
        NO_WISHES,
        Wishes(("train.max_steps=60",)),
        Wishes(("save.every_n_steps=1",), allow_changed=True),
    ):
        with pytest.raises(UserError, match=r"train it further: .*--set train"):
            refuse_finished(run, wishes)
    tell(run, "failed")  # of an attempt that came to nothing
    with pytest.raises(UserError, match="is done already"):
        refuse_finished(run, NO_WISHES)


def test_the_newest_file_by_number_is_the_configuration(run):
    assert (run.configuration, run.next_configuration.name) == (run.run_toml, "run.2.toml")
    for name in ("run.9.toml", "run.10.toml", "run.old.toml", "run.1e3.toml"):
        (run.path / name).write_text("schema = 1\ntrain.max_steps = 70\n")
    assert (run.configuration.name, run.next_configuration.name) == ("run.10.toml", "run.11.toml")
    assert NO_WISHES.configuration(run).train.max_steps == 70
    assert Wishes(("train.max_steps=80",)).configuration(run).train.max_steps == 80
    assert Wishes(("a.b=1",), allow_changed=True).arguments == ["--set", "a.b=1", "--allow-changed"]
