"""Every bad input: one clear message on stderr that names the thing, the right exit code, no traceback."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

RUN_FILE = """\
schema = 1
[model]
base = "tiny.safetensors"
[dataset]
train_dir = "train"
resolution = [64, 64]
[optimizer]
type = "adamw"
[train]
max_steps = 2
"""

PLAN_AND_RUN = pytest.mark.parametrize("command", ["plan", "run"])


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run file, a tiny model and two pictures, all of them good. Read only."""
    from trainer_core.models.quiet import quiet_imports

    quiet_imports()
    import torch

    from trainer_core.models.save import save_model
    from trainer_core.models.tiny import build_tiny

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("good")
    save_model(build_tiny(), folder / "tiny", format="safetensors", precision=None, metadata={})
    (folder / "run.toml").write_text(RUN_FILE)
    pictures = folder / "train" / "2_sls frog"
    pictures.mkdir(parents=True)
    for number in range(2):
        Image.linear_gradient("L").resize((64, 64)).convert("RGB").save(pictures / f"{number}.png")
    return folder


@pytest.fixture
def refused(dbtui, good: Path, tmp_path: Path):
    """Call a command that must fail; return its messages."""

    def call(command: str, code: int, *options: object, runs: Path | None = None) -> list[str]:
        runs_dir = runs or tmp_path / "runs"
        existed = runs_dir.exists()
        done = dbtui(command, good / "run.toml", *options, "--runs-dir", runs_dir)
        assert "Traceback" not in done.stdout + done.stderr
        assert done.returncode == code, done.stderr
        assert runs_dir.exists() == existed  # nothing was made on the way
        lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert lines
        return lines

    return call


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", folder)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def read_only(small_disk: Path) -> Path:
    """A read-only file system: root, too, cannot write there."""
    _mount("-o", "remount,ro", small_disk)
    return small_disk


def _mount(*words: object) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    done = subprocess.run(["mount", *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")


@pytest.mark.parametrize("command", ["plan", "run"])
def test_what_is_good_is_accepted(dbtui, good: Path, tmp_path: Path, command: str):
    options = ["--dry-run"] if command == "run" else []
    done = dbtui(command, good / "run.toml", *options, "--runs-dir", tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr


@pytest.mark.row(45)
@PLAN_AND_RUN
def test_a_missing_model(refused, command: str):
    (line,) = refused(command, 4, "--model", "nowhere/model.safetensors")
    assert "nowhere/model.safetensors: there is no such file" in line


@pytest.mark.row(45)
@PLAN_AND_RUN
def test_a_model_that_is_something_else(refused, command: str, tmp_path: Path):
    (tmp_path / "model.safetensors").write_text("<html>404</html>")
    (line,) = refused(command, 4, "--model", tmp_path / "model.safetensors")
    assert "model.safetensors" in line


@PLAN_AND_RUN
def test_a_wrong_table(dbtui, good: Path, tmp_path: Path, command: str):
    file = tmp_path / "wrong.toml"
    file.write_text(RUN_FILE + "[optimiser]\nlearning_rate = 1e-6\n")
    done = dbtui(command, file)
    assert done.returncode == 2
    assert "optimiser" in done.stderr
    assert "did you mean optimizer" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.row(52)
@PLAN_AND_RUN
def test_an_empty_folder(refused, command: str, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (line,) = refused(command, 3, "--data", tmp_path / "empty")
    assert f"{tmp_path / 'empty'}: holds no pictures" in line


@PLAN_AND_RUN
def test_a_folder_that_is_not_there(refused, command: str, tmp_path: Path):
    (line,) = refused(command, 3, "--data", tmp_path / "gone")
    assert "gone" in line


@PLAN_AND_RUN
def test_an_unreadable_image(refused, command: str, tmp_path: Path):
    folder = tmp_path / "pictures" / "1_sls frog"
    folder.mkdir(parents=True)
    Image.effect_noise((64, 64), 60).save(folder / "good.png")
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:-600])
    (line,) = refused(command, 3, "--data", tmp_path / "pictures")
    assert "cut.png" in line
    assert "cut off" in line


@PLAN_AND_RUN
def test_a_missing_model_and_a_bad_picture_are_told_together(refused, command: str, tmp_path: Path):
    folder = tmp_path / "pictures" / "1_sls frog"
    folder.mkdir(parents=True)
    Image.effect_noise((64, 64), 60).save(folder / "good.png")
    (folder / "page.jpg").write_text("<html>")
    model, picture = refused(command, 4, "--model", "gone.ckpt", "--data", tmp_path / "pictures")
    assert "gone.ckpt" in model
    assert "page.jpg" in picture


@PLAN_AND_RUN
def test_a_file_in_the_place_of_the_runs(refused, command: str, tmp_path: Path):
    (tmp_path / "taken").write_text("")
    (line,) = refused(command, 6, runs=tmp_path / "taken")
    assert "taken is not a folder" in line


@pytest.mark.row(16)
@PLAN_AND_RUN
def test_a_read_only_disk(refused, command: str, read_only: Path):
    lines = refused(command, 6, runs=read_only / "runs")
    assert any("read-only" in line and str(read_only) in line for line in lines)


@pytest.mark.row(13)
@PLAN_AND_RUN
def test_a_full_disk(refused, command: str, small_disk: Path):
    (line,) = refused(command, 6, runs=small_disk / "runs")
    assert f"{small_disk} has 4.2 MB free" in line
    assert "needs up to" in line


def test_plan_finds_what_only_decoding_shows(refused, dbtui, good: Path, tmp_path: Path):
    folder = tmp_path / "pictures" / "1_sls frog"
    folder.mkdir(parents=True)
    Image.effect_noise((64, 64), 60).save(folder / "bad.png")
    content = bytearray((folder / "bad.png").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / "bad.png").write_bytes(content)
    quick = dbtui("plan", good / "run.toml", "--data", tmp_path / "pictures", "--quick")
    assert quick.returncode == 0, quick.stderr
    lines = refused("plan", 3, "--data", tmp_path / "pictures")
    assert any("bad.png" in line and "damaged" in line for line in lines)


def test_a_plan_on_a_terminal_ends_with_the_command_to_start_it(terminal, good: Path, tmp_path: Path):
    import sys

    opened = terminal([sys.executable, "-m", "dbtui", "plan", str(good / "run.toml"), "--quick", "--name", "frog"])
    assert opened.end() == 0
    assert f"start it:  dbtui run {good / 'run.toml'} --name frog" in opened.text.replace("\r\n", "")


def test_a_name_that_is_taken(dbtui, good: Path, tmp_path: Path):
    (tmp_path / "runs" / "frog").mkdir(parents=True)
    for command in ("plan", "run"):
        done = dbtui(command, good / "run.toml", "--name", "frog", "--runs-dir", tmp_path / "runs")
        assert done.returncode == 2
        assert "frog" in done.stderr
        assert "--name" in done.stderr
