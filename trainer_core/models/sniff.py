"""What a model is (format, family, prediction type), from its header and at most one small tensor; no torch.

Facts of the detection: the width of the cross-attention tells SD 1.x (768) from 2.x (1024); whether a 2.x model
predicts v is said by its scheduler, its metadata or the .yaml beside it, and else by the spread of one bias.
"""

import re
import statistics
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from trainer_core.errors import ExitCode, UserError
from trainer_core.models import layout
from trainer_core.models.header import Header, read_floats, read_header
from trainer_core.on_disk import from_home, is_absent, is_file, is_folder, why_not_there
from trainer_core.text import safe_text

Format = Literal["safetensors", "ckpt", "diffusers"]
FamilyName = Literal["sd1", "sd2"]
Prediction = Literal["epsilon", "v"]

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
CKPT_SUFFIXES = {".ckpt", ".pt", ".pth"}
V_BIAS = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias"
V_BIAS_STD = 0.09  # epsilon models lie below, v models above
LARGEST_BIAS = 1e6
MIN_EMA_KEYS = 100
YAML_V = re.compile(r"^[ \t]*parameterization:[ \t]*['\"]?v['\"]?[ \t]*(#.*)?$", re.MULTILINE)
YAML_CONTEXT = re.compile(r"^[ \t]*context_dim:[ \t]*(\d+)", re.MULTILINE)
MAX_YAML_CHARACTERS = 65536


GUESS = "a guess"
"""How the prediction type is known where nothing tells it."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a model before its weights are read.

    Attributes:
        base: the model as the person named it.
        path: the file or folder; None for a Hub id, which is not fetched yet.
        format: the form in which it is stored (a Hub id counts as a Diffusers folder).
        family: None where only reading the weights will tell (a `.ckpt`, a Hub id).
        prediction: None where only reading the weights will tell.
        prediction_from: how the prediction type is known, in a few words.
        dtypes: the storage type of each component found ("F16", "F32", ...).
        size_bytes: size of the weights on disk; 0 for a Hub id.
        has_ema: whether averaged weights lie in the file too.
        overruled: what says otherwise than model.prediction, in a few words; "" where nothing does.
    """

    base: str
    path: Path | None
    format: Format
    family: FamilyName | None
    prediction: Prediction | None
    prediction_from: str
    dtypes: dict[str, str] = field(default_factory=dict)
    size_bytes: int = 0
    has_ema: bool = False
    overruled: str = ""

    @property
    def is_hub_id(self) -> bool:
        """Whether the model must be fetched from the Hub, or from its cache."""
        return self.path is None


def sniff(base: str, *, family: str = "auto", prediction: str = "auto") -> ModelInfo:
    """Return what the model `base` is; `family` and `prediction` other than "auto" overrule the detection.

    Raises a UserError (exit code 4) that names the file and says what it is, if training cannot start from it.
    """
    path = from_home(base)
    if is_folder(path):
        info = _sniff_folder(base, path)
    elif is_file(path):
        info = _sniff_file(base, path)
    elif is_hub_id(base):
        info = ModelInfo(base, None, "diffusers", None, None, "")
    else:
        raise _model_error(path, why_not_there(path))
    return overrule(info, family, prediction)


def is_hub_id(named: str) -> bool:
    """Whether `named` can only be meant as a model of the Hub: written like one, and nothing lies there."""
    suffixes = {".safetensors", *CKPT_SUFFIXES}
    return HUB_ID.fullmatch(named) is not None and Path(named).suffix not in suffixes and is_absent(named)


def overrule(info: ModelInfo, family: str, prediction: str) -> ModelInfo:
    """Return `info` with what the person said instead of what was found; a UserError if the family disagrees."""
    if family in {"sd1", "sd2"} and family != info.family:
        if info.family is not None:
            raise UserError(
                f"{safe_text(info.base)} is of the family {info.family!r}, not {family!r}; leave the family out",
                ExitCode.MODEL,
            )
        info = replace(info, family="sd1" if family == "sd1" else "sd2")
    if prediction in {"epsilon", "v"}:
        chosen: Prediction = "v" if prediction == "v" else "epsilon"
        is_otherwise = info.prediction not in {None, chosen} and info.prediction_from != GUESS
        against = info.prediction_from if is_otherwise else ""
        info = replace(info, prediction=chosen, prediction_from="model.prediction", overruled=against)
    return info


def _sniff_file(base: str, path: Path) -> ModelInfo:
    if path.suffix.lower() in CKPT_SUFFIXES:
        yaml = _yaml_beside(path)
        context = YAML_CONTEXT.search(yaml)
        family: FamilyName | None = None
        if context:
            family = "sd2" if context.group(1) == "1024" else "sd1"
        prediction: Prediction | None = "v" if YAML_V.search(yaml) else "epsilon" if yaml else None
        source = "the .yaml beside it" if yaml else ""
        return ModelInfo(base, path, "ckpt", family, prediction, source, {}, path.stat().st_size)
    if path.suffix.lower() != ".safetensors":
        raise _model_error(path, "a model is a .safetensors or .ckpt file, a Diffusers folder or a Hub id")
    return sniff_safetensors(base, path, yaml_beside=path)


def sniff_safetensors(base: str, path: Path, *, yaml_beside: Path) -> ModelInfo:
    """Return what the safetensors file `path` holds; the `.yaml` is looked for beside `yaml_beside`."""
    header = read_header(path)
    if problem := layout.why_not_a_model(header):
        raise _model_error(yaml_beside, problem)
    family = layout.single_file_family(header)
    prediction, source = _single_file_prediction(header, family, _yaml_beside(yaml_beside))
    dtypes = {
        component: _common_dtype(header, prefix)
        for component, prefix in layout.SINGLE_FILE_PREFIXES.items()
        if any(name.startswith(prefix) for name in header.tensors)
    }
    ema_keys = sum(name.startswith("model_ema.") for name in header.tensors)
    return ModelInfo(
        base,
        path,
        "safetensors",
        family,
        prediction,
        source,
        dtypes,
        path.stat().st_size,
        ema_keys > MIN_EMA_KEYS,
    )


def _single_file_prediction(header: Header, family: FamilyName, yaml: str) -> tuple[Prediction, str]:
    said = header.metadata.get("modelspec.prediction_type", "").lower()
    if said in {"v", "v_prediction", "v-prediction", "epsilon"}:
        return ("epsilon" if said == "epsilon" else "v"), "its metadata"
    if header.metadata.get("modelspec.architecture", "").lower().endswith("-v"):
        return "v", "its metadata"
    if "v_pred" in header.tensors:
        return "v", "its v_pred mark"
    if yaml:
        return ("v" if YAML_V.search(yaml) else "epsilon"), "the .yaml beside it"
    if family == "sd1":
        return "epsilon", "its family"
    bias = read_floats(header, V_BIAS)
    if bias and all(abs(value) < LARGEST_BIAS for value in bias):  # not so of NaN, which loading refuses
        return ("v" if statistics.pstdev(bias) > V_BIAS_STD else "epsilon"), "its weights"
    return "epsilon", GUESS


def _yaml_beside(path: Path) -> str:
    yaml = layout.yaml_path(path)
    if not is_file(yaml):
        return ""
    try:
        with yaml.open(encoding="utf-8", errors="replace") as file:
            return file.read(MAX_YAML_CHARACTERS)
    except OSError:
        return ""


def _sniff_folder(base: str, path: Path) -> ModelInfo:
    folder = layout.read_folder(path)
    prediction: Prediction = "epsilon"
    source = "its scheduler"
    said = str(folder.configs.get("scheduler", {}).get("prediction_type", ""))
    if said in {"v_prediction", "epsilon"}:
        prediction = "v" if said == "v_prediction" else "epsilon"
    elif said:
        raise _model_error(path, f"its U-Net predicts {said!r}; only epsilon and v_prediction can be trained")
    elif "scheduler" not in folder.configs:
        source = GUESS
    dtypes, size = {}, 0
    for component, files in folder.weights.items():
        size += sum(file.stat().st_size for file in files)
        if files[0].suffix == ".safetensors":
            dtypes[component] = _common_dtype(read_header(files[0]), "")
    return ModelInfo(base, path, "diffusers", folder.family, prediction, source, dtypes, size)


def _common_dtype(header: Header, prefix: str) -> str:
    counts: Counter[str] = Counter()
    for name, info in header.tensors.items():
        if name.startswith(prefix) and info.dtype.startswith(("F", "BF")):
            counts[info.dtype] += info.elements
    return counts.most_common(1)[0][0] if counts else "F32"


def _model_error(path: Path, problem: str) -> UserError:
    return UserError(f"{safe_text(path)}: {safe_text(problem, limit=1000)}", ExitCode.MODEL)
