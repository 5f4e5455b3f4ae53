"""What common settings do to what is learned, each alone against the same training without it, on the demo model.

    python benchmarks/what_helps.py [MODEL] [--methods full lora] [--changes CHANGE ...] [--seeds N] [--add]

The trainings and the numbers are those of learning.py. A difference is printed bold where it is larger than twice
the standard error of a difference of means over the seeds: smaller ones come from the seeds alone.
"""

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from learning import add_options, measure_all
from learning_cases import METHODS, Case
from learning_results import LearningResults, Row
from results_file import PAGE, RESULTS

RATES = {"full": 1e-3, "lora": 4e-3}
PLAIN = "as it is"
CAPTIONS = "captions that name the background"
WITHOUT_CLASS_PICTURES = "no class pictures"
CHANGES: dict[str, dict[str, dict[str, Any]]] = {
    PLAIN: {},
    "min_snr_gamma = 5": {"loss": {"min_snr_gamma": 5.0}},
    "noise_offset = 0.1": {"loss": {"noise_offset": 0.1}},
    "flip_aug = true": {"dataset": {"flip_aug": True}},
    CAPTIONS: {},
    "text_encoder.train = false": {"text_encoder": {"train": False}},
    WITHOUT_CLASS_PICTURES: {},
}


def main() -> None:
    """Train, judge, print and write."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--methods", nargs="+", choices=list(RATES), default=list(RATES))
    asked.add_argument("--changes", nargs="+", choices=list(CHANGES), default=list(CHANGES))
    add_options(asked, seeds=3, output=RESULTS / "what_helps.json")
    words = asked.parse_args()
    page = PAGE.with_name("what-helps.md")
    results = LearningResults(words.output, "What helps", page, is_kept=words.add, compare=_plain)
    measure_all(list(_cases(words)), words, results)
    sys.stdout.write(results.table())


def _cases(words: argparse.Namespace) -> Iterator[tuple[str, Case]]:
    for method in words.methods:
        for change in words.changes:
            caption = METHODS["finetune"].caption if change == CAPTIONS else None
            has_class_pictures = change != WITHOUT_CLASS_PICTURES
            case = Case(method, RATES[method], has_class_pictures, CHANGES[change], caption)
            yield f"{method}, {change}", case


def _plain(row: Row) -> str:
    return f"{row.method}, {PLAIN}"


if __name__ == "__main__":
    main()
