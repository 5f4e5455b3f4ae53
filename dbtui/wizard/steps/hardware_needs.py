"""What each preset is predicted to need with the answers of the draft laid over it."""

from collections.abc import Sequence
from dataclasses import replace

from dbtui.presets.offer import Offer, needed_gb
from dbtui.wizard.answers import resolved
from dbtui.wizard.draft import Draft
from trainer_core.errors import UserError
from trainer_core.models.sniff import FamilyName


def needs_answered(offered: Sequence[Offer], draft: Draft, family: FamilyName | None) -> list[Offer]:
    """Return the offers with what they need once the answers, of which no choice changes any, are laid over them.

    An offer that the answers do not go together with keeps what it needs by itself: a later step tells of that.
    """
    return [replace(offer, needed_gb=_needed(offer, draft, family)) for offer in offered]


def _needed(offer: Offer, draft: Draft, family: FamilyName | None) -> float | None:
    chosen = draft.copy()
    chosen.preset = offer.name
    try:
        return needed_gb(resolved(chosen), family)
    except UserError:
        return offer.needed_gb
