"""What a command line may ask for, and how a batch is dealt."""

from pathlib import Path

import pytest

from trainer_core.data.share import Share
from trainer_core.errors import ExitCode, UserError
from trainer_core.ranks.failures import failure_of_another, forget_failures, write_failure
from trainer_core.ranks.several import Several, several_of
from trainer_core.run.directory import RunDirectory


@pytest.mark.parametrize("count", range(1, 9))
@pytest.mark.parametrize("processes", [2, 3, 8])
def test_every_sample_is_dealt_once_and_nobody_is_left_without_one(count: int, processes: int) -> None:
    parts = [Share(rank, processes).of(count) for rank in range(processes)]

    assert all(part is not None and part.size >= 1 for part in parts)
    dealt = [row for part in parts if part and part.counts for row in range(count)[part.rows]]
    assert dealt == list(range(count))
    assert max(part.size for part in parts if part) - min(part.size for part in parts if part) <= 1


def test_the_options_come_back_as_they_were_given() -> None:
    several = several_of("all", 2, 1, "10.0.0.1:29500")

    assert several == Several(None, 2, 1, "10.0.0.1:29500")
    assert " ".join(several.arguments) == "--gpus all --nodes 2 --node-rank 1 --rendezvous 10.0.0.1:29500"
    assert several_of("1", 1, 0, None) is None
    assert several_of(None, 1, 0, None) is None


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("0", 1, 0, None), "--gpus"),
        (("-1", 1, 0, None), "--gpus"),
        (("two", 1, 0, None), "--gpus"),
        (("2", 0, 0, None), "--nodes"),
        (("2", 2, 2, "host:1"), "--node-rank"),
        (("2", 1, 1, None), "--node-rank"),
        ((None, 2, 0, "host:1"), "--gpus"),
        (("2", 2, 0, None), "--rendezvous"),
        (("2", 1, 0, "host:1"), "--rendezvous"),
        (("2", 2, 0, "host"), "--rendezvous"),
        (("2", 2, 0, "host:99999"), "--rendezvous"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    options: tuple[str | None, int, int, str | None], word: str
) -> None:
    with pytest.raises(UserError, match=word):
        several_of(*options)


def test_the_first_process_tells_why_another_failed(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert failure_of_another(run, patience=0) is None

    write_failure(run, 3, UserError(["no memory", "use less"], ExitCode.OUT_OF_MEMORY))

    failure = failure_of_another(run)
    assert failure is not None
    assert failure.code is ExitCode.OUT_OF_MEMORY
    assert failure.problems == ["process 3 of this run failed: no memory", "use less"]
    forget_failures(run)
    assert list(tmp_path.iterdir()) == []
