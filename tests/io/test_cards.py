"""Cards that are read without astropy say what astropy says."""

from __future__ import annotations

import warnings

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from mizzle.errors import InputError
from mizzle.io.cards import LazyCard, split_cards
from mizzle.io.fitsfile import parse_header
from mizzle.io.headers import FrozenHeader
from mizzle.io.structure import find_units

_BLOCK = 2880


def header_of(images) -> bytes:
    text = "".join(f"{image:80}" for image in [*images, "END"]).encode("ascii")
    return text + b" " * (-len(text) % _BLOCK)


def said(header: FrozenHeader) -> dict:
    """Value and its type by keyword, or the kind of failure."""
    found = {}
    for name in header._cards:
        try:
            found[name] = repr(header.get(name))
        except InputError:
            found[name] = "unreadable"
    return found


def both(header: bytes) -> tuple[dict, dict]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return said(parse_header(header, "x")), said(FrozenHeader(fits.Header.fromstring(header), "x"))


VALUES = st.one_of(
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False, width=64),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
)


@given(st.lists(VALUES, max_size=12), st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20))
def test_what_astropy_wrote_is_read_as_astropy_reads_it(values, comment):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = [str(fits.Card(f"KEY-{k}_", value, comment)) for k, value in enumerate(values)]
    ours, theirs = both(header_of([i[k : k + 80] for i in images for k in range(0, len(i), 80)]))
    assert ours == theirs


@given(st.lists(st.text("A1 ='/:.+-EDTF", max_size=80), max_size=6))
def test_odd_cards_are_read_as_astropy_reads_them(images):
    header = header_of([f"K{number:<7}{image}"[:80] for number, image in enumerate(images)])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = said(FrozenHeader(fits.Header.fromstring(header), "x"))
    except (ValueError, InputError):
        return
    assert both(header)[0] == theirs


@pytest.mark.parametrize(
    "image",
    [
        "A       =                    T / comment",
        "A       = 'it''s   '           / comment",
        "A       = '   '",
        "A       = ''",
        "A       = 1.5D-3/comment",
        "A       = 007",
        "A       = .5",
        "A       = -5.",
        "A       = 1E5",
        "A       = / no value",
        "A       = 5 6",
        "A       = 'open",
        "A       = (1.0, 2.0)",
        "D2IM1   = 'EXTVER: 1.0'",
        "D2IM1   = 'AXIS.1: 2'        / a field",
        "A       = 'a: b'",
        "A       ='close'",
        "a       = 5",
        "A B     = 5",
        "A=5",
    ],
)
def test_cards_of_every_form(image):
    ours, theirs = both(header_of([image]))
    assert ours == theirs


def test_long_texts_are_put_together():
    card = fits.Card("LONGTEXT", "word " * 40)
    image = str(card)
    header = header_of([image[k : k + 80] for k in range(0, len(image), 80)])
    assert split_cards(header) is None
    ours, theirs = both(header)
    assert ours == theirs


@pytest.mark.data
def test_headers_of_the_archive(data_dir):
    """Every card of every real file at hand."""
    seen = lazy = 0
    for path in sorted(data_dir.glob("**/*.fits*")):
        units, _ = find_units(path, 2**33)
        for unit in units:
            ours, theirs = both(unit.header)
            assert list(ours.items()) == list(theirs.items()), path
            found = split_cards(unit.header)
            seen += len(ours)
            lazy += 0 if found is None else sum(isinstance(card, LazyCard) for card in found.cards)
    assert seen > 5000
    assert lazy > 0.8 * seen
