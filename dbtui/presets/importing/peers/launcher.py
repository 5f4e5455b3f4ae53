"""`accelerate launch`: the options in front of the script."""

from dbtui.presets.importing.peers.reasons import ONE_DEVICE
from dbtui.presets.importing.rules import Left, Peer, To, whole

_OWN = Left("`dbtui run` needs no launcher, and no configuration of one")

_DEVICES = (
    "num_processes num_machines machine_rank multi_gpu gpu_ids main_process_port main_process_ip cpu mps"
    " use_deepspeed deepspeed_config_file zero_stage offload_optimizer_device offload_param_device"
    " use_fsdp same_network rdzv_backend dynamo_backend dynamo_mode dynamo_use_fullgraph"
    " dynamo_use_dynamic"
)

ACCELERATE = Peer(
    name="accelerate",
    scripts=(),
    options={
        "num_cpu_threads_per_process": To("train.cpu_threads", whole),
        "mixed_precision": To("memory.mixed_precision"),
        "gradient_accumulation_steps": To("train.gradient_accumulation"),
        "config_file": _OWN,
        "m": _OWN,
        "module": _OWN,
        "quiet": _OWN,
        "main_training_function": _OWN,
        "enable_cpu_affinity": _OWN,
        **dict.fromkeys(
            _DEVICES.split(),
            ONE_DEVICE,
        ),
    },
)
