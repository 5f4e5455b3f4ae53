"""Every bad picture, name and caption in one folder: one report, each file once; the good ones train."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.catalogue import picture, write_catalogue
from tests.faults.evidence import console, events, well_told
from trainer_core.errors import ExitCode


@pytest.fixture
def catalogue(tmp_path):
    folder = tmp_path / "train" / "2_sls frog"
    folder.mkdir(parents=True)
    return folder, write_catalogue(folder)


@pytest.mark.row(51)
def test_one_report_names_each_bad_file_once_and_the_good_ones_train(catalogue, dbtui, make_run, tmp_path, start):
    folder, made = catalogue
    done = dbtui("scan", folder.parent, "--deep", "--json", "--resolution", "64", DBTUI_CACHE_DIR=str(tmp_path))
    assert done.returncode == ExitCode.DATASET
    assert "\x1b" not in done.stdout
    report = json.loads(done.stdout)
    told = Counter(Path(each["path"]).name for each in report["bad_images"])
    assert told == Counter(made.bad)
    assert all(name in json.dumps(report["faults"]) for name in made.bad_captions)
    refused = dbtui("scan", folder.parent, "--deep", "--resolution", "64", DBTUI_CACHE_DIR=str(tmp_path))
    shown = refused.stdout + refused.stderr
    assert refused.returncode == ExitCode.DATASET
    assert not {"\x1b]", "\x1b["} & {shown[at : at + 2] for at in range(len(shown))}
    well_told(shown)
    for name in made.bad_captions:
        (folder / name).unlink()
        made.good.add(name.replace(".txt", ".jpg"))
    settings = (f"dataset.train_dir={folder.parent}", 'dataset.on_bad_image="skip"', "train.max_steps=1")
    run = make_run(tmp_path / "runs", *settings)
    assert start(run).wait() == 0, console(run)
    (left_out,) = [each["text"] for each in events(run, "warning") if each["text"].startswith("left out")]
    assert f"{len(made.bad)} pictures" in left_out


@pytest.mark.row(51)
@pytest.mark.parametrize("name", ["20 sls frog", "0_sls frog", "-3_sls frog", "x_sls frog"])
def test_folder_names_that_cannot_be_understood(tmp_path, name):
    from trainer_core.config.schema import Dataset
    from trainer_core.data.scan import scan_dataset

    for each in (name, "2_cpc frog"):
        (tmp_path / each).mkdir()
        (tmp_path / each / "a.jpg").write_bytes(picture())
    found = scan_dataset(Dataset(train_dir=str(tmp_path), resolution=(64, 64)), [])
    (fault,) = found.faults
    assert name in str(fault)


@pytest.mark.row(52)
def test_no_usable_picture_and_no_word_in_any_caption(tmp_path, dbtui, run_file):
    empty = tmp_path / "empty" / "2_sls frog"
    empty.mkdir(parents=True)
    (empty / "broken.jpg").write_bytes(b"")
    done = dbtui("plan", run_file, "--set", f"dataset.train_dir={empty.parent}", "--runs-dir", tmp_path / "runs")
    assert done.returncode == ExitCode.DATASET
    assert "broken.jpg" in well_told(done.stderr)
    (empty / "broken.jpg").write_bytes(picture())
    (empty / "broken.txt").write_text(" ")
    done = dbtui("plan", run_file, "--set", f"dataset.train_dir={empty.parent}", "--runs-dir", tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    assert "empty" in done.stdout + done.stderr
