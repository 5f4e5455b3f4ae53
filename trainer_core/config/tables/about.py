"""[preset]: what a file says of itself."""

from trainer_core.config.declare import Table, setting
from trainer_core.config.tables.types import Name


class Measured(Table):
    """One measurement that a finished run left in its preset."""

    gpu: str = setting(..., "GPU as its driver names it.", group="About", affects="list")
    peak_vram_gb: float = setting(
        ..., "Peak memory reserved by the allocator.", group="About", affects="list", unit="GB", gt=0
    )
    it_per_s: float = setting(..., "Optimizer steps per second.", group="About", affects="list", unit="1/s", gt=0)
    version: str = setting(..., "Version of dbtui that measured.", group="About", affects="list")


class Preset(Table):
    """What this preset is and who made it."""

    name: Name | None = setting(
        None, "Name by which `extends` and `dbtui run` find the preset.", group="About", affects="list"
    )
    title: str = setting(
        "", "One line shown in lists.", group="About", affects="list", inherited=False, max_length=120
    )
    description: str = setting(
        "", "What it is for and what it gives up.", group="About", affects="list", inherited=False, max_length=2000
    )
    author: str = setting("", "Who made it.", group="About", affects="list", max_length=120)
    license: str = setting("", "Licence of the preset file.", group="About", affects="list", max_length=60)
    min_vram_gb: float | None = setting(
        None,
        "Smallest card that it is meant for.",
        group="About",
        affects="list",
        unit="GB",
        inherited=False,
        gt=0,
        le=1024,
    )
    measured: list[Measured] = setting(
        [],
        "Measurements by finished runs; empty means unverified.",
        group="About",
        affects="list",
        inherited=False,
        max_length=100,
    )
