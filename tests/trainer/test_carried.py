"""What a training writes tells how it was trained, and from which very file."""

import pytest

from dbtui.runs.prepare import configure
from tests.presets.first_machine import recipe
from trainer_core.models.carried import read_carried
from trainer_core.train.result import save_result


@pytest.mark.parametrize(("train", "form"), [("full", "diffusers"), ("lora", "safetensors")])
def test_a_training_is_repeated_from_what_it_wrote(train, form, make_job, pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("DBTUI_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    lora = {"network": {"rank": 4}} if train == "lora" else {}
    job = make_job(
        method={"train": train}, save={"format": form, "output_name": "frog"}, loss={"type": "huber"}, **lora
    )
    result = save_result(job, tmp_path / "models" / "frog").paths[0]
    text = read_carried(result).text
    assert not [place for place in (str(tmp_path), str(pictures), "frog", "sls") if place in text]
    base = tmp_path / "models" / "what it is called now.safetensors"
    base.write_bytes(job.model.info.path.read_bytes())
    again = configure(str(result), data=str(pictures / "train"))
    assert again.model.base == str(base)
    assert recipe(again) == recipe(job.config)
    assert again.loss.type == "huber"
