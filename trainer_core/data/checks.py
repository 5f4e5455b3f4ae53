"""The checks that the tutorial advises for each picture. They are remarks: nothing is left out for them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from trainer_core.config.schema import Dataset
from trainer_core.data.buckets import fit_picture
from trainer_core.data.dataset import Check, CheckKind, Picture
from trainer_core.data.images import Header
from trainer_core.data.listing import counted
from trainer_core.errors import UserError

BLURRED = 30.0
"""A sharpness (`quality.sharpness`) below it is remarked on. Photographs have hundreds or thousands; under a
Gaussian of 2.5 pixels, at a shorter side of 512, the same ones have 3 to 25."""

LONGEST = 2.5
"""Width / height, or its inverse, from which a picture is an extreme one: beyond a phone's and a cinema's."""

_SHOWN = 12

_WORDS: Mapping[CheckKind, str] = {
    "transparent": "transparent, laid on white, which may be learned as an outline",
    "low_resolution": "smaller than the training size, will be enlarged",
    "extreme_shape": f"longer than {LONGEST:g} : 1, so that much is cropped away or little detail is left",
    "blurred": "blurred or without detail, which is learned as well",
    "copy": "exact copies of others, which therefore count more",
    "near_copy": "nearly the same as others, which therefore count more",
}


def check_pictures(headers: Mapping[Path, Header], dataset: Dataset) -> list[Check]:
    """Check each picture by its header and, where it was decoded, by its look."""
    checks = []
    for path, header in headers.items():
        width, height = header.size
        found: dict[CheckKind, bool] = {
            "transparent": header.alpha,
            "low_resolution": _is_small(header, dataset),
            "extreme_shape": max(width, height) > LONGEST * min(width, height),
            "blurred": header.look is not None and header.look.sharpness < BLURRED,
        }
        checks += [Check(kind=kind, path=path) for kind, is_found in found.items() if is_found]
    return checks


def check_copies(copies: Mapping[Path, Path], near_copies: Mapping[Path, Path]) -> list[Check]:
    """Return what was found by `duplicates` as checks."""
    return [
        *(Check(kind="copy", path=path, like=like) for path, like in copies.items()),
        *(Check(kind="near_copy", path=path, like=like) for path, like in near_copies.items()),
    ]


def remark_on_cropping(pictures: Iterable[Picture], dataset: Dataset) -> list[str]:
    """A remark if there is no room for `random_crop`: resized, every picture is as large as its bucket."""
    if not dataset.random_crop or dataset.rotate_aug:  # what is turned is enlarged, and so has room
        return []
    try:
        fits = [fit_picture(picture.size, dataset) for picture in pictures]
    except UserError:  # as below
        return []
    if not fits or any(fit.resize != fit.bucket for fit in fits):
        return []
    return ["dataset.random_crop has no effect: resized, every picture is exactly as large as its bucket"]


def remarks_on(checks: Iterable[Check], dataset: Dataset) -> list[str]:
    """One remark for each kind of check, with the names of the files."""
    by_kind: dict[CheckKind, list[Check]] = {}
    for check in checks:
        by_kind.setdefault(check.kind, []).append(check)
    return [_remark(kind, by_kind[kind], dataset) for kind in _WORDS if kind in by_kind]


def _remark(kind: CheckKind, checks: list[Check], dataset: Dataset) -> str:
    words = _WORDS[kind]
    if kind == "low_resolution" and _keeps_size(dataset):
        words = "smaller than the training size, trained at their own"
    names = ", ".join(_name(check) for check in checks[:_SHOWN])
    more = f" and {len(checks) - _SHOWN} more" if len(checks) > _SHOWN else ""
    return f"{words}: {counted(len(checks), 'picture')} ({names}{more})"


def _name(check: Check) -> str:
    if check.like is None:
        return check.path.name
    names = (f"{path.parent.name}/{path.name}" for path in (check.path, check.like))
    return " like ".join(names) if check.kind == "near_copy" else " of ".join(names)


def _is_small(header: Header, dataset: Dataset) -> bool:
    width, height = header.size
    if _keeps_size(dataset):
        return width * height < dataset.resolution[0] * dataset.resolution[1]
    try:
        fit = fit_picture(header.size, dataset)
    except UserError:  # wrong bucket settings are the configuration's problem, told where they are used
        return False
    return fit.resize[0] > width or fit.resize[1] > height


def _keeps_size(dataset: Dataset) -> bool:
    return dataset.bucket.enable and dataset.bucket.no_upscale
