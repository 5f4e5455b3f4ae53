"""A finished run as it lies on the machine that trained it, with everything there that nobody else shall see."""

import json
from pathlib import Path

from dbtui.presets.library import find_text
from trainer_core.config.prompts_file import with_prompts_of_file
from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Config
from trainer_core.config.writer import dump_config
from trainer_core.resume.settings import field_of, settings_of
from trainer_core.run.directory import RunDirectory, create_run
from trainer_core.run.lines import encode_line
from trainer_core.run.process import write_process_record

USER, HOST = "annabelle", "annas-tower"
TOKENS = {
    "HF_TOKEN": "hf_abcdefghijklmnopqrstuvwx",
    "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "STUDIO_PASSWORD": "winter-frog-9000",
}
GPU = {"name": "NVIDIA RTX 3060", "driver": "555.1", "vram_total_gb": 12.0}

BINDINGS = """
[model]
base = "{home}/models/sd15.safetensors"
[dataset]
train_dir = "{home}/pictures/train"
reg_dir = "{home}/pictures/reg"
[save]
output_dir = "{home}/results"
output_name = "annabelle-frog"
[log]
tensorboard = true
dir = "{home}/logs"
[hub]
push = true
repo_id = "annabelle/frog"
"""
GENTLE = 'extends = "sd15-12gb"\n[optimizer]\nlearning_rate = 5e-7\n[train]\nepochs = 3\n'
PREVIEWS = '[sample]\nevery_n_steps = 100\n[[sample.prompts]]\nprompt = "a sls frog in the rain"\nseed = 7\n'
SHAPES = {
    "over a shipped preset": GENTLE,
    "complete": "[train]\nmax_steps = 800\n[dataset.bucket]\nenable = true\nno_upscale = true\n",
    "not as the shipped preset of that name": '[preset]\nname = "sd15-12gb"\n[optimizer]\ntype = "lion8bit"\n',
    "lora": 'extends = "sd15-lora-8gb"\n[network]\nrank = 4\nconv_rank = 8\n[loss]\nmin_snr_gamma = 5\n',
    "unchanged": 'extends = "sd15-8gb"\n',
}


def recipe(config: Config, *, with_prompts: bool = False) -> dict:
    """Return the settings that a preset carries: without what belongs to one machine or one person."""
    leaves = {"own"} if with_prompts else {"own", "prompt"}
    return {
        key: value
        for key, value in settings_of(config).items()
        if not (field_of(key).binding or field_of(key).about.personal in leaves or key.startswith("preset."))
    }


def make_run(home: Path, settings: str, name: str = "sls-frog-1") -> RunDirectory:
    """Make a run of a run file with these settings, as its trainer would have left it before its first step."""
    text = "schema = 1\n" + settings.replace("{home}", str(home))
    config = with_prompts_of_file(parse_config(text, "run file", find_preset=find_text))
    return create_run(home / "runs", name, dump_config(config))


def leave_traces(run: RunDirectory, *, steps: int = 40, vram_gb: float | None = 10.126, gpu: dict | None = GPU):
    """Write the events and the process.json of a training to the end: half a second a step, 3 s for a preview."""
    write_process_record(run, gpu)
    events = [
        {"kind": "format", "version": 1, "run": run.name, "started": 1.8e9},
        {"kind": "phase", "name": "load"},
        {"kind": "phase", "name": "train", "total": steps},
    ]
    for step in range(1, steps + 1):
        mono = 100 + 0.5 * step + (3 if step > steps // 2 else 0)
        if step == steps // 2 + 1:
            events.append({"kind": "phase", "name": "sample", "mono": mono - 3.4})
            events.append({"kind": "phase", "name": "train", "mono": mono - 0.5})
        events.append({"kind": "step", "step": step, "loss": 0.1, "mono": mono, "vram_gb": vram_gb})
    events.append({"kind": "finished", "exit_code": 0, "outputs": [str(run.output / "last.safetensors")]})
    write_events(run, *events)


def write_events(run: RunDirectory, *events: dict):
    run.events.write_bytes(b"".join(encode_line({"t": 1.8e9, "mono": 1.0, **event}) for event in events))


def set_up(home: Path, monkeypatch):
    """Be that person on that machine."""
    home.mkdir()
    for name, value in {**TOKENS, "HOME": str(home), "USER": USER, "LOGNAME": USER}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("socket.gethostname", lambda: HOST)


def traces_in(text: str, run: RunDirectory) -> list[str]:
    """Return what of the machine stands in a text."""
    record = json.loads(run.process_json.read_text())
    assert record["host"] == HOST
    known = [str(run.path), str(run.path.parents[1]), run.name, str(Path.cwd()), USER, HOST, record["boot_id"]]
    known += [*TOKENS.values(), record["command_line"][0], "annabelle/frog"]
    return [trace for trace in known if trace and trace in text]
