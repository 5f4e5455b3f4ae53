"""What the training did: the start model and its result on the same pictures, noise and timesteps."""

from dataclasses import dataclass
from pathlib import Path

DRAWS = 8


@dataclass(frozen=True, slots=True)
class Comparison:
    """Mean loss of both models, and the standard error of their difference (paired, over pictures and draws)."""

    before: float
    after: float
    error: float

    @property
    def sigmas(self) -> float:
        """By how many standard errors the loss fell."""
        return (self.before - self.after) / max(self.error, 1e-12)


def compare(run_file: Path, trained: Path) -> Comparison:
    """Measure the start model of `run_file` against the model at `trained` on the run's training pictures."""
    from trainer_core.config.reader import read_config
    from trainer_core.data.buckets import fit_picture
    from trainer_core.data.cache import Frame
    from trainer_core.data.scan import scan_dataset
    from trainer_core.models.load import load_model
    from trainer_core.train.evaluate import fixed_losses

    config = read_config(run_file)
    scan = scan_dataset(config.dataset, config.concept, method=config.method.captions)
    pictures = [picture for folder in scan.train for picture in folder.pictures]
    frames = [Frame(picture, fit_picture(picture.size, config.dataset)) for picture in pictures]
    after_settings = config.model.model_copy(update={"base": str(trained)})
    before, after = (
        fixed_losses(load_model(settings), frames, "cpu", draws=DRAWS)
        for settings in (config.model, after_settings)
    )
    fell = before - after
    return Comparison(
        before=float(before.mean()), after=float(after.mean()), error=float(fell.std() / fell.numel() ** 0.5)
    )
