"""`dbtui doctor` with broken, hanging and missing parts; a fake library shadows the real one in the children."""

import io
import json
import sys
import textwrap
from pathlib import Path

import pytest

from dbtui.doctor import examine as examining
from dbtui.doctor.ask import Answer, ask
from dbtui.doctor.gpu import fits, gpu_findings
from dbtui.doctor.software import bitsandbytes_findings, torch_findings, xformers_findings
from dbtui.doctor.system import system_findings
from dbtui.doctor.terminal import terminal_findings
from trainer_core.run.mounts import file_system

CPU_TORCH = {"version": "2.13.0+cpu", "cuda": None, "hip": None, "threads": 2, "gpu": None, "error": None}
CUDA_TORCH = {**CPU_TORCH, "version": "2.13.0+cu128", "cuda": "12.8"}
CARD = {"name": "RTX 3060", "driver": "580.65", "vram_gb": 12.0, "used_gb": 0.5, "capability": [8, 6]}
DEVICE = {
    "name": "RTX 3060",
    "capability": [8, 6],
    "architectures": ["sm_80", "sm_90", "compute_90"],
    "bf16": True,
    "problem": None,
}
NO_GPU = Answer({"gpus": [], "error": "NVMLError_LibraryNotFound: NVML Shared Library Not Found"})


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a module before the real one of that name, in every process that is started from here."""

    def put(name: str, code: str) -> None:
        folder = tmp_path / "fakes"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(textwrap.dedent(code))
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return put


def levels(findings) -> dict[str, str]:
    return {finding.name: finding.level for finding in findings}


def only(findings, name: str):
    return next(finding for finding in findings if finding.name == name)


# The whole command.


def test_a_torch_that_does_not_load_is_the_problem(fake, dbtui):
    fake("torch", "raise ImportError('libcudnn.so.9: cannot open shared object file')")
    done = dbtui("doctor")
    assert done.returncode == 1
    assert "libcudnn.so.9" in done.stdout
    assert "reinstall it" in done.stdout
    assert "disk" in done.stdout  # the rest is told all the same
    assert "Traceback" not in done.stdout + done.stderr


def test_a_torch_that_crashes_takes_nobody_down(fake, dbtui):
    fake("torch", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    done = dbtui("doctor", "--json")
    assert done.returncode == 1
    data = json.loads(done.stdout)
    assert not data["ok"]
    torch = next(finding for finding in data["findings"] if finding["name"] == "torch")
    assert torch["level"] == "problem"
    assert "SIGSEGV" in torch["text"]


@pytest.mark.slow  # imports all of them, one after the other
def test_this_machine_passes_with_its_real_libraries(dbtui, tmp_path: Path):
    done = dbtui("doctor", "--json", "--runs-dir", tmp_path / "runs")
    data = json.loads(done.stdout)
    found = {finding["name"]: finding for finding in data["findings"]}
    assert found["diffusers"]["level"] == "ok", found["diffusers"]
    assert found["bitsandbytes"]["level"] == "ok", found["bitsandbytes"]
    assert done.returncode == (0 if data["ok"] else 1)
    assert done.stderr == ""  # nothing of what the libraries say at import


# The questions, each in a process of its own.


def test_a_broken_bitsandbytes_is_quiet_and_a_problem(fake):
    fake(
        "bitsandbytes",
        "print('BUG REPORT ' * 50)\nraise RuntimeError('CUDA Setup failed despite GPU being available')",
    )
    answer = ask("bitsandbytes", 60)
    (finding,) = bitsandbytes_findings(answer, "0.50.0")
    assert finding.level == "problem"
    assert "CUDA Setup failed" in finding.text
    assert "BUG REPORT" not in finding.text + finding.action
    assert "optimizer.type" in finding.action


@pytest.mark.row(54)
def test_a_driver_that_hangs_is_left_alone(fake):
    fake("pynvml", "import time\ndef nvmlInit(): time.sleep(600)")
    answer = ask("gpus", 2)
    assert answer.facts is None
    assert levels(gpu_findings(answer, Answer(CPU_TORCH))) == {"driver": "note", "card": "note"}


def test_an_answer_that_nobody_wants_any_more_is_not_waited_for(fake):
    fake("pynvml", "import time\ndef nvmlInit(): time.sleep(600)")
    asked = iter([False, False, True])
    answer = ask("gpus", 600, stopped=lambda: next(asked))
    assert (answer.facts, answer.failure) == (None, "was not waited for")


@pytest.mark.row(54)
def test_no_nvml_means_no_gpu_and_that_is_possible(fake):
    fake("pynvml", "def nvmlInit(): raise OSError('NVML Shared Library Not Found')")
    answer = ask("gpus", 20)
    assert answer.facts == {"gpus": [], "first": None, "error": "OSError: NVML Shared Library Not Found"}
    assert "problem" not in levels(gpu_findings(answer, Answer(CPU_TORCH))).values()


def test_a_driver_that_answers_is_read(fake, monkeypatch):
    fake(
        "pynvml",
        """
        from types import SimpleNamespace
        NVML_TEMPERATURE_GPU = 0
        def nvmlInit(): pass
        def nvmlDeviceGetCount(): return 1
        def nvmlDeviceGetHandleByIndex(index): return index
        def nvmlDeviceGetIndex(handle): return handle
        def nvmlDeviceGetCudaComputeCapability(handle): return [8, 6]
        def nvmlDeviceGetMemoryInfo(handle): return SimpleNamespace(used=2**29, total=12 * 2**30)
        def nvmlDeviceGetName(handle): return "RTX 3060"
        def nvmlSystemGetDriverVersion(): return "580.65"
        """,
    )
    assert ask("gpus", 20).facts == {"error": None, "first": 0, "gpus": [CARD]}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert ask("gpus", 20).facts == {"error": None, "first": None, "gpus": [CARD]}


def test_what_a_child_says_last_is_the_reason(fake):
    fake("torch", "import sys; sys.exit('no space left on device')")
    assert ask("torch", 20).failure == "no space left on device"


def test_everything_hanging_still_ends(fake, monkeypatch, tmp_path):
    fake("torch", "import time; time.sleep(600)")
    monkeypatch.setattr(examining, "LIBRARY_SECONDS", 1.0)
    findings = list(examining.examine(tmp_path, io.StringIO()))
    assert "no answer in 1 s" in only(findings, "torch").text
    assert {"software", "system", "terminal"} <= {finding.section for finding in findings}


# The judgements.


def test_a_gpu_that_works():
    found = list(gpu_findings(Answer({"gpus": [CARD], "error": None}), Answer({**CUDA_TORCH, "gpu": DEVICE})))
    assert set(levels(found).values()) == {"ok"}
    assert "11.5 free" in only(found, "RTX 3060").text
    assert "580.65" in only(found, "RTX 3060").text


@pytest.mark.parametrize(
    ("torch", "words"),
    [
        (CPU_TORCH, "CPUs only"),
        ({**CUDA_TORCH, "error": "RuntimeError: driver too old"}, "driver too old"),
        (
            {**CUDA_TORCH, "gpu": {**DEVICE, "capability": [12, 0], "architectures": ["sm_90"]}},
            "no code for RTX 3060",
        ),
        ({**CUDA_TORCH, "gpu": {**DEVICE, "problem": "RuntimeError: busy"}}, "busy"),
    ],
)
def test_a_gpu_that_torch_cannot_use_is_a_problem(torch, words, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = only(gpu_findings(Answer({"gpus": [CARD], "error": None}), Answer(torch)), "torch")
    assert found.level == "problem"
    assert words in found.text
    assert found.action


def test_a_hidden_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = only(gpu_findings(Answer({"gpus": [CARD], "error": None}), Answer(CUDA_TORCH)), "torch")
    assert "CUDA_VISIBLE_DEVICES" in found.text


def test_an_old_and_small_card_is_possible_with_notes():
    card, device = {**CARD, "vram_gb": 6.0}, {**DEVICE, "bf16": False}
    found = levels(gpu_findings(Answer({"gpus": [card], "error": None}), Answer({**CUDA_TORCH, "gpu": device})))
    assert found == {"RTX 3060": "note", "torch": "ok", "bf16": "note"}


@pytest.mark.parametrize(
    ("capability", "architectures", "expected"),
    [
        ([8, 6], ["sm_80"], True),
        ([8, 0], ["sm_86"], False),
        ([9, 0], ["sm_80", "sm_86"], False),
        ([9, 0], ["sm_80", "compute_80"], True),
        ([12, 0], ["sm_90", "sm_120"], True),
        ([9, 0], ["sm_90a"], True),
        ([6, 1], ["sm_75", "compute_120"], False),
        ([8, 6], [], False),
    ],
)
def test_which_builds_run_on_which_cards(capability, architectures, expected):
    assert fits(capability, architectures) is expected


def test_an_old_torch_is_fine_but_reads_no_ckpt():
    found = levels(torch_findings(Answer({**CPU_TORCH, "version": "2.9.1+cu128"})))
    assert found == {"torch": "ok", ".ckpt files": "note"}
    assert levels(torch_findings(Answer({**CPU_TORCH, "version": "2.10.0a0+git"}))) == {"torch": "ok"}


def test_xformers_is_never_needed():
    assert levels(xformers_findings(None, None)) == {"xformers": "ok"}
    assert levels(xformers_findings(Answer({"problem": "its results are wrong by 0.3"}), "0.0.35")) == {
        "xformers": "note"
    }
    assert levels(xformers_findings(Answer({"problem": None}), "0.0.35")) == {"xformers": "ok"}
    assert levels(xformers_findings(Answer(None, "crashed (SIGSEGV)"), "0.0.35")) == {"xformers": "note"}


MOUNTS = """\
22 1 0:20 / / rw,relatime - overlay overlay rw
23 22 0:21 / /proc rw - proc proc rw
24 22 8:1 / /workspace rw - ext4 /dev/sda1 rw
25 22 0:30 / /dev/shm rw - tmpfs shm rw
26 24 0:31 / /workspace/my\\040disk rw - xfs /dev/sdb rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/root/runs", "overlay"),
        ("/workspace/runs", "ext4"),
        ("/workspaces", "overlay"),
        ("/dev/shm/x", "tmpfs"),
        ("/workspace/my disk/runs", "xfs"),
    ],
)
def test_the_file_system_of_a_folder(folder, kind):
    assert file_system(Path(folder), MOUNTS) == kind


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """A machine's proc/ and sys/ as a container with little memory and one CPU sees them."""
    root = tmp_path / "root"
    for name, text in {
        "proc/meminfo": "MemTotal:       65000000 kB\nMemAvailable:   60000000 kB\n",
        "proc/self/mountinfo": "22 1 0:20 / / rw,relatime - overlay overlay rw\n",
        "sys/fs/cgroup/memory.max": f"{4 * 2**30}\n",
        "sys/fs/cgroup/memory.current": f"{2**30}\n",
        "sys/fs/cgroup/memory.stat": f"anon 1\ninactive_file {2**29}\n",
        "sys/fs/cgroup/cpu.max": "50000 100000\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_containers_limits_count(container: Path, tmp_path: Path):
    found = list(system_findings(tmp_path / "runs", container))
    assert only(found, "memory").level == "note"
    assert only(found, "memory").text == "4.0 GB for this container, 3.5 GB available"
    assert "may use 0.5" in only(found, "CPU").text
    assert "lost with the container" in only(found, "runs").text


def test_the_grace_of_a_stop_is_told_where_it_can_be_known(container: Path, tmp_path: Path, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert "stop" not in levels(system_findings(tmp_path, container))
    (container / ".dockerenv").touch()
    assert "10 s between SIGTERM and SIGKILL" in only(system_findings(tmp_path, container), "stop").text
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert "30 s" in only(system_findings(tmp_path, container), "stop").text


def test_a_runs_folder_that_cannot_be_written_is_a_problem(container: Path, tmp_path: Path):
    (tmp_path / "file").write_text("")
    found = [finding for finding in system_findings(tmp_path / "file", container) if finding.level == "problem"]
    assert ["not a folder" in finding.text for finding in found] == [True]


def test_machines_that_tell_nothing(tmp_path: Path):
    found = levels(system_findings(tmp_path, tmp_path / "nothing"))
    assert "problem" not in found.values()
    assert "memory" not in found


class FakeTerminal(io.StringIO):
    def __init__(self, encoding: str) -> None:
        super().__init__()
        self.kind = encoding

    def isatty(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.kind


def test_a_good_terminal_over_ssh_in_tmux():
    environment = {"TERM": "xterm-256color", "TMUX": "x", "SSH_CONNECTION": "x", "COLORTERM": "truecolor"}
    found = list(terminal_findings(FakeTerminal("UTF-8"), environment))
    assert only(found, "terminal").text == "TERM=xterm-256color, 16 million colours, in tmux over SSH"
    assert only(found, "text").level == "ok"


def test_a_dumb_terminal_and_latin_text():
    found = levels(terminal_findings(FakeTerminal("latin-1"), {"TERM": "dumb"}))
    assert found["terminal"] == "note"
    assert found["text"] == "note"


SIZE = """
import sys
from dbtui.doctor.terminal import terminal_findings
print([finding.level for finding in terminal_findings(sys.stdout) if finding.name == "size"])
"""


@pytest.mark.parametrize(("size", "level"), [((60, 20), "note"), ((80, 24), "ok")])
def test_a_terminals_size(terminal, size, level):
    opened = terminal([sys.executable, "-c", SIZE], size=size)
    opened.end()
    assert f"['{level}']" in opened.text
