"""What does not go with memory.fsdp is refused by name, in the run's settings and in accelerate's."""

import pytest

from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Config
from trainer_core.errors import UserError
from trainer_core.ranks.accelerate import refused_of_accelerate
from trainer_core.ranks.several import ONE, Several, refuse_unsuitable

FSDP = "schema = 1\n[memory]\nfsdp = true\n"
CUT = Config.model_validate({"schema": 1, "memory": {"fsdp": True}, "train": {"batch_size": 2}})
WHOLE = CUT.model_copy(update={"memory": CUT.memory.model_copy(update={"fsdp": False})})


def test_it_goes_with_what_treats_each_number_for_itself():
    for kind in ("adamw", "adamw_schedulefree"):
        assert parse_config(f'{FSDP}[optimizer]\ntype = "{kind}"\n', "run.toml").memory.fsdp


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("auto = true", "memory.auto changes"),
        ("fused_backward = true", "memory.fused_backward updates"),
        ("stream_activations = true", "memory.stream_activations is not made"),
        ("stream_state = true", "memory.stream_state moves"),
        ('[optimizer]\ntype = "adamw8bit"', 'optimizer.type = "adamw8bit" needs whole ones'),
        ('[optimizer]\ntype = "adafactor"', 'optimizer.type = "adafactor" needs whole ones'),
        ('[train]\ncompile = "on"', 'train.compile = "on"'),
        ('[method]\ntrain = "lora"', "memory.fsdp is used only with"),
    ],
)
def test_what_does_not_is_refused_by_name(text, said):
    with pytest.raises(UserError) as refused:
        parse_config(
            f'{FSDP}{text}\n[optimizer]\ntype = "adamw"\n' if "optim" not in text else FSDP + text, "run.toml"
        )
    (problem,) = refused.value.problems
    assert said in problem


def test_one_gpu_is_too_few_for_it():
    with pytest.raises(UserError, match=r"memory\.fsdp .* add --gpus"):
        refuse_unsuitable(CUT, ONE)
    refuse_unsuitable(CUT, Several(2))
    refuse_unsuitable(CUT, Several(None))  # --gpus all: they are not counted yet
    refuse_unsuitable(WHOLE, ONE)


@pytest.mark.parametrize(
    ("environment", "config", "said"),
    [
        ({"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}, WHOLE, "add --set memory.fsdp=true"),
        ({"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "1"}, CUT, "fsdp_version: 2"),
        (
            {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_RESHARD_AFTER_FORWARD": "false"},
            CUT,
            "fsdp_reshard_after_forward: true",
        ),
        ({"FSDP_OFFLOAD_PARAMS": "true"}, CUT, "fsdp_offload_params"),
        ({"FSDP_ACTIVATION_CHECKPOINTING": "true"}, CUT, "memory.gradient_checkpointing = true"),
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, WHOLE, "DeepSpeed"),
    ],
)
def test_of_accelerates_configuration_nothing_is_ignored(environment, config, said):
    (problem,) = refused_of_accelerate(config, environment)
    assert said in problem


def test_of_accelerates_configuration_the_usual_is_taken():
    usual = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_RESHARD_AFTER_FORWARD": "true"}
    assert list(refused_of_accelerate(CUT, usual)) == []
    assert list(refused_of_accelerate(CUT, {"ACCELERATE_USE_FSDP": "false", "FSDP_OFFLOAD_PARAMS": "false"})) == []
