"""Keywords that a product has from its exposures: what readers of drizzled images ask for beside the photometry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mizzle.instrument.keywords import REFERENCE_FILES, SETUP
from mizzle.io.header_cards import Card
from mizzle.model import Exposure


def inherited_cards(exposures: Sequence[Exposure]) -> list[Card]:
    """Return the cards that the exposures hand on: those of the first, and the summed dark time.

    Statistics of one exposure's pixels (MEANC10, BACKGRND...) and its place on the detector (LTM1_1, MIR_REVR)
    say nothing of a product, and are left out.
    """
    header = exposures[0].header
    cards: list[Card] = [(name, header[name], "first exposure") for name in SETUP if header.get(name) is not None]
    cards += [(name, header[name], "of the first exposure") for name in REFERENCE_FILES if _text(header.get(name))]
    cards.append(("DARKTIME", float(sum(e.darktime for e in exposures)), "[s] sum over exposures"))
    return cards


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
