"""[validation]: what is measured beside the training, to tell which of the saved models is the best."""

from trainer_core.config.declare import Table, UsedWhen, setting

WHEN_MEASURED = UsedWhen("validation.samples", unless=(0,))


class Validation(Table):
    """Measured before the first step, at each model saved and at the end; the training is not changed by it."""

    samples: int = setting(
        12,
        "Pictures whose loss is measured each time, each at a noise and a timestep that stay the same; and half"
        " as many predictions for the class, to compare with the start model's. One costs a third of a picture"
        " trained; 0 measures nothing.",
        group="Validation",
        affects="event",
        unit="pictures",
        changeable=True,
        ge=0,
        le=1024,
    )
    every_n_steps: int | None = setting(
        None,
        "Measure every n steps too, for a finer curve.",
        group="Validation",
        affects="event",
        unit="steps",
        used_when=WHEN_MEASURED,
        changeable=True,
        ge=1,
        le=10**7,
    )
