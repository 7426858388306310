"""Files changed without astropy: what is not touched keeps its bytes, what is written astropy reads."""

from __future__ import annotations

import gzip
import io
import string
import warnings

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from mizzle.errors import InputError, SettingsError
from mizzle.io.binary_table import decode_table, encode_table
from mizzle.io.checksum import ascii_sum
from mizzle.io.editable import EditableFile, EditableUnit
from mizzle.io.editable_header import EditableHeader
from mizzle.io.header_cards import card_images, make_header
from mizzle.io.reference_tables import read_offtab
from mizzle.io.rewriting import rewriting
from mizzle.io.structure import data_sum

PLAIN = st.characters(min_codepoint=32, max_codepoint=126)
VALUES = st.one_of(
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False, width=64),
    st.text(PLAIN, min_size=1, max_size=60).filter(lambda text: len(text.replace("'", "''")) <= 60),
)
COMMENTS = st.text(PLAIN, max_size=40).map(str.strip)


@pytest.fixture
def file(tmp_path):
    """A file with images of several kinds, odd cards, and a table."""
    first = fits.PrimaryHDU()
    first.header["ROOTNAME"] = ("u1", "exposure")
    first.header["EMPTY"] = (None, "no value")
    first.header.add_history("made for a test")
    rng = np.random.default_rng(5)
    images = [rng.normal(size=(7, 9)).astype(np.float32), rng.integers(-99, 99, (5, 4)).astype(np.int16)]
    units = [fits.ImageHDU(image, name="SCI", ver=number) for number, image in enumerate(images, 1)]
    units[0].header["PHOTFLAM"] = (1.5e-18, "inverse sensitivity")
    units[0].header["D2IM2"] = "EXTVER: 3.0"
    table = fits.BinTableHDU.from_columns([fits.Column("X", "D", array=[1.0, 2.0])], name="TABLE")
    path = tmp_path / "file.fits"
    fits.HDUList([first, *units, table]).writeto(path)
    return path


def as_bytes(units) -> bytes:
    stream = io.BytesIO()
    EditableFile(units).write(stream)
    return stream.getvalue()


def opened(content: bytes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return fits.open(io.BytesIO(content), checksum=True)


@given(VALUES, COMMENTS)
def test_cards_are_written_as_astropy_writes_them(value, comment):
    (image,) = card_images([("KEY", value, comment)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it cut the comment
        assert image == str(fits.Card("KEY", value, comment))[:80]


@given(VALUES)
def test_a_card_says_its_value(value):
    read = EditableHeader(card_images([("KEY", value, "words")]))["KEY"]
    wanted = value.rstrip() if isinstance(value, str) else value
    assert read == pytest.approx(wanted, rel=1e-12) if isinstance(value, float) else read == wanted


@given(st.text(PLAIN, max_size=200))
def test_a_text_stays_on_its_card(text):
    (image,) = card_images([("KEY", text, "comment")])
    assert len(image) == 80
    assert text.startswith(str(fits.Card.fromstring(image).value).rstrip())


def test_what_fits_cannot_write_is_left_out():
    assert card_images([("KEY", float("nan"), ""), ("KEY", np.float32("inf"), "")]) == []


def test_records_and_comments_of_a_header():
    header = make_header([("D2IM2.AXIS.1", 1.0, "first variable"), ("HISTORY", "something was done", "")])
    assert header["D2IM2.AXIS.1"] == 1.0
    assert list(header["HISTORY"]) == ["something was done"]


def test_what_is_not_touched_keeps_its_bytes(file):
    before = file.read_bytes()
    with rewriting(file):
        pass
    assert file.read_bytes() == before


def test_a_keyword_changes_one_card_only(file):
    before = file.read_bytes()
    with rewriting(file) as hdus:
        hdus["SCI", 1].header["photflam"] = 3.0e-18
    after = file.read_bytes()
    cards = [k for k in range(0, len(before), 80) if before[k : k + 80] != after[k : k + 80]]
    assert len(cards) == 1
    assert fits.getval(file, "PHOTFLAM", 1) == 3.0e-18
    assert fits.getheader(file, 1).comments["PHOTFLAM"] == "inverse sensitivity"


def test_new_cards_stand_before_the_history(file):
    with rewriting(file) as hdus:
        hdus[0].header["SIPNAME"] = ("polynomial", "of the distortion")
    header = fits.getheader(file)
    assert header["SIPNAME"] == "polynomial"
    assert list(header)[-1] == "HISTORY"


def test_headers_say_what_astropy_says(file):
    with fits.open(file) as theirs:
        for unit, own in zip(theirs, EditableFile.read(file), strict=True):
            said = {k: v for k, v in unit.header.items() if k not in ("HISTORY", "EMPTY")}
            assert dict(own.header) == said
            assert own.name == unit.name.replace("PRIMARY", "")
    header = EditableFile.read(file)[0].header
    assert "EMPTY" not in header
    assert header.get("EMPTY", "nothing") == "nothing"


def test_cards_are_taken_out():
    header = EditableHeader(card_images([("A", 1, ""), ("B", 2, ""), ("A", 3, "")]))
    header.remove("a")
    assert header["A"] == 3
    header.remove("A")
    header.remove("A", ignore_missing=True)
    with pytest.raises(KeyError):
        header.remove("A")
    assert dict(header) == {"B": 2}


@pytest.mark.parametrize("keyword", ["", "NINELONGS", "A B", "CLÉ"])
def test_no_keyword(keyword):
    with pytest.raises(SettingsError, match="no FITS keyword"):
        EditableHeader()[keyword] = 1


@pytest.mark.parametrize("kind", ["u1", "i2", "u2", "i4", "i8", "f4", "f8"])
@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 4)])
def test_images_come_back(file, kind, shape):
    image = (np.arange(np.prod(shape)) * 37 % 251).astype(kind).reshape(shape)
    with rewriting(file) as hdus:
        hdus["SCI", 2].data = image
        hdus.append(EditableUnit.of_image(image, [("PHOTFLAM", 1.0, "")], name="NEW", version=4))
    with fits.open(file) as theirs:
        for unit in (theirs["SCI", 2], theirs["NEW", 4]):
            assert unit.data.dtype == np.dtype(kind).newbyteorder("=") or unit.data.dtype.newbyteorder("=") == kind
            np.testing.assert_array_equal(unit.data, image)
        theirs.verify("exception")
    own = EditableFile.read(file)["new", 4].data
    assert own.dtype == kind
    np.testing.assert_array_equal(own, image)


def test_scaled_images_are_read_as_astropy_reads_them(file, tmp_path):
    unit = fits.ImageHDU(np.arange(12, dtype=np.int16).reshape(3, 4), name="SCI")
    unit.header["BSCALE"], unit.header["BZERO"], unit.header["BLANK"] = 0.5, 3.0, 7
    path = tmp_path / "scaled.fits"
    unit.writeto(path)
    with fits.open(path) as theirs:
        wanted = theirs[1].data.copy()
    np.testing.assert_array_equal(EditableFile.read(path)[1].data, wanted.astype(np.float32))
    with rewriting(path) as hdus:
        hdus[1].data = hdus[1].data * np.float32(2)
    with fits.open(path) as theirs:
        np.testing.assert_array_equal(theirs[1].data, wanted * 2)
        assert not {"BSCALE", "BZERO", "BLANK"} & set(theirs[1].header)


def test_an_image_alone_is_whole(tmp_path):
    image = np.arange(15, dtype=np.float32).reshape(3, 5)
    with opened(as_bytes([EditableUnit.of_image(image, [("EXPTIME", 5.0, "[s]")], primary=True)])) as theirs:
        theirs.verify("exception")
        np.testing.assert_array_equal(theirs[0].data, image)
        assert theirs[0].header["EXPTIME"] == 5.0


def test_packed_files_stay_packed(file, tmp_path):
    path = tmp_path / "packed.fits.gz"
    path.write_bytes(gzip.compress(file.read_bytes()))
    with rewriting(path) as hdus:
        hdus["SCI", 1].data = hdus["SCI", 1].data * np.float32(2)
    with fits.open(file) as before, fits.open(path) as after:
        np.testing.assert_array_equal(after["SCI", 1].data, before["SCI", 1].data * 2)
        np.testing.assert_array_equal(after["SCI", 2].data, before["SCI", 2].data)
    assert path.read_bytes()[:2] == b"\x1f\x8b"


def test_sums_are_right_after_a_change(tmp_path):
    path = tmp_path / "summed.fits"
    image = np.arange(20, dtype=np.float32).reshape(4, 5)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image, name="SCI", ver=1)]).writeto(path, checksum=True)
    with rewriting(path) as hdus:
        hdus[0].header["ROOTNAME"] = "u1"
        hdus[0].header.remove("DATASUM")  # a sum of the whole alone is one to keep true, too
        hdus[1].data = image + 1
    with opened(path.read_bytes()) as theirs:
        np.testing.assert_array_equal(theirs[1].data, image + 1)


@given(st.integers(0, 0xFFFFFFFF))
def test_the_text_of_a_sum(total):
    text = ascii_sum(total)
    assert set(text) <= set(string.digits + string.ascii_letters)
    # In a header it begins at the last byte of a word; in place of zeros it makes the whole sum -0 in ones' complement.
    changed = data_sum((text[1:] + text[0]).encode(), data_sum(b"", total))
    zeros = data_sum(b"0" * 16)
    while changed < zeros:
        changed += 0xFFFFFFFF
    assert (changed - zeros) % 0xFFFFFFFF == 0


def test_tiles_are_unpacked(tmp_path):
    path = tmp_path / "tiles.fits"
    image = np.arange(81, dtype=np.int16).reshape(9, 9)
    packed = fits.CompImageHDU(image, name="SCI")
    packed.header["PHOTFLAM"] = 2.0
    fits.HDUList([fits.PrimaryHDU(), packed]).writeto(path)
    with rewriting(path) as hdus:
        hdus["SCI"].header["PHOTFLAM"] = 3.0
    with fits.open(path) as theirs:
        assert type(theirs["SCI"]) is fits.ImageHDU
        assert theirs["SCI"].header["PHOTFLAM"] == 3.0
        np.testing.assert_array_equal(theirs["SCI"].data, image)


def test_broken_tiles_are_named(tmp_path):
    path = tmp_path / "tiles.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(np.zeros((9, 9), np.int16), name="SCI")]).writeto(path)
    path.write_bytes(path.read_bytes().replace(b"'RICE_1  '", b"'RUBBISH '"))
    with pytest.raises(InputError, match=r"tiles\.fits: its tiles cannot be unpacked"), rewriting(path):
        pass


def test_units_by_name(file):
    hdus = EditableFile.read(file)
    assert hdus["sci"] is hdus[1]
    assert hdus["SCI", 2] is hdus[2]
    with pytest.raises(KeyError):
        hdus["SCI", 3]
    hdus.drop("SCI")
    assert [unit.name for unit in hdus] == ["", "TABLE"]


def test_tables_are_read_by_astropy_and_back():
    columns = [
        ("ROOT", "8A", "", ["u1", "u22", ""]),
        ("N", "J", "", [1, -2, 3]),
        ("BIG", "K", "", [2**40, 0, -1]),
        ("FLUX", "D", "DN", [1.5, float("nan"), -3.0]),
        ("GOOD", "L", "", [True, False, True]),
    ]
    table = encode_table("NAMES", columns, version=2)
    content = as_bytes([EditableUnit.of_image(None, [], primary=True)]) + b"".join(table)
    with opened(content) as theirs:
        theirs.verify("exception")
        unit = theirs["NAMES", 2]
        assert list(unit.data["ROOT"]) == ["u1", "u22", ""]
        assert list(unit.data["BIG"]) == [2**40, 0, -1]
        assert list(unit.data["GOOD"]) == [True, False, True]
        np.testing.assert_array_equal(unit.data["FLUX"], [1.5, np.nan, -3.0])
        assert unit.columns["FLUX"].unit == "DN"
    own = decode_table(EditableHeader.of_bytes(table.head), table.data)
    assert [name.decode() for name in own["ROOT"]] == ["u1", "u22", ""]
    np.testing.assert_array_equal(own["N"], [1, -2, 3])


def test_tables_of_others_are_read():
    shapes = {
        "X": ("3D", np.arange(6.0).reshape(2, 3)),
        "BITS": ("11X", np.ones((2, 11), bool)),
        "T": ("5A", ["ab", "c"]),
    }
    made = [fits.Column(name, form, array=values) for name, (form, values) in shapes.items()]
    unit = fits.BinTableHDU.from_columns([*made, fits.Column("P", "PJ()", array=np.array([[1], [2, 3]], object))])
    stream = io.BytesIO()
    unit.writeto(stream)
    alone = EditableUnit.of_image(None, [], primary=True)
    content = stream.getvalue()[len(as_bytes([alone])) :]
    place = content.index(f"{'END':80}".encode())
    size = -(-(place + 80) // 2880) * 2880
    own = decode_table(EditableHeader.of_bytes(content[:size]), content[size:])
    np.testing.assert_array_equal(own["X"], np.arange(6.0).reshape(2, 3))
    assert [text.decode() for text in own["T"]] == ["ab", "c"]


def test_reference_tables_are_read_as_astropy_reads_them(tmp_path):
    path = tmp_path / "x_off.fits"
    made = [fits.Column("CHIP", "J", array=[1, 2]), fits.Column("V2", "E", array=[0.5, -3.25])]
    made += [fits.Column("STEP", "I", array=[1, 2]), fits.Column("NAME", "6A", array=["a", "b "])]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(made)]).writeto(path)
    with rewriting(path) as hdus:
        hdus[1].header["TSCAL3"], hdus[1].header["TZERO3"] = 0.5, 1.0
    own = read_offtab(path)
    with fits.open(path) as theirs:
        for name in ("CHIP", "V2", "STEP"):
            np.testing.assert_array_equal(own[name], theirs[1].data[name])
        assert list(own["NAME"]) == list(theirs[1].data["NAME"])


def test_a_table_whose_columns_do_not_fill_its_rows_is_refused(tmp_path):
    table = encode_table("NAMES", [("N", "J", "", [1, 2, 3])])
    path = tmp_path / "x_off.fits"
    broken = EditableHeader.of_bytes(table.head)
    broken["TFORM1"] = "D"
    alone = as_bytes([EditableUnit.of_image(None, [], primary=True)])
    path.write_bytes(alone + broken.to_bytes() + table.data)
    with pytest.raises(InputError, match=r"rows of 4 bytes.*embedded table"):
        read_offtab(path)
