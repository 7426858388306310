"""The users' files of `scripts/campaign`: tables, regions, masks, images and settings, and what is damaged in them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Reader = Callable[[Path], Any]

#: Name, content as text, and which columns hold numbers that must be numbers.
TEXTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "sky.csv": ("root,chip,sky\nu1234501t,PC,4.25\nu1234501t,WF2,5.5\nu1234502t,WF3,6.125\n", ("sky",)),
    "factors.csv": ("chip,filter,factor,mjd_min\nPC,F814W,1.01,50000.5\nWF2,*,0.99,51000\n", ("factor", "mjd_min")),
    "photflam.txt": ("chip  photflam\nPC  2.5e-18\nWF4  2.45e-18\n", ("photflam",)),
    "catalog.csv": (
        "ra,dec,pmra,pmdec,ref_epoch,mag\n323.36,-0.82,1.5,-2.5,2016.0,18.5\n323.37,-0.81,0.1,0.2,2016.0,19.25\n",
        (),
    ),
    "sources.csv": ("root,chip,x,y,flux\nu1,PC,100.5,200.25,1000\nu1,WF2,30.5,40.5,900\n", ("x", "y", "flux")),
    "shifts.csv": ("root,east,north,roll\nu1,0.125,-0.25,0.001\nu2,0,0.5,0\n", ("east", "north", "roll")),
    "stars.reg": ('# Region file\nfk5\ncircle(323.36,-0.82,5")\nimage; -box(100,200,30,40,15) # tag={WF3}\n', ()),
    "visits.csv": ("file,visit\na_c0m.fits,one\nb_c0m.fits,two\n", ()),
}
WORDS = (b"north", b"nan", b"inf", b"1e999", b"--5", b"0x10", b"1,000", b"", b"\xff", b"9" * 400)


def write_tables(folder: Path) -> dict[Path, Reader]:
    """Write one whole file of each kind; return how each is read."""
    from astropy.io import fits  # noqa: TID251
    from astropy.table import Table

    from mizzle.cli.options import read_settings
    from mizzle.io import catalogs, file_tables, grid_image, regions, tables
    from mizzle.settings import Settings
    from mizzle.settings.describe import to_toml

    folder.mkdir()
    readers: dict[str, Reader] = {
        "sky.csv": tables.read_sky_values,
        "factors.csv": tables.read_flux_corrections,
        "photflam.txt": tables.read_flux_corrections,
        "catalog.csv": catalogs.read_sky_catalog,
        "sources.csv": catalogs.read_sources,
        "shifts.csv": catalogs.read_shifts,
        "stars.reg": regions.read_regions,
        "visits.csv": file_tables.read_file_table,
    }
    for name, (text, _) in TEXTS.items():
        (folder / name).write_text(text)
    stars = Table({"ra": [323.36, 323.37], "dec": [-0.82, -0.81], "mag": [18.5, 19.25]})
    for name in ("stars.ecsv", "stars.fits", "stars.vot"):
        stars.write(folder / name, format={"ecsv": "ascii.ecsv", "fits": "fits", "vot": "votable"}[name[6:]])
        readers[name] = catalogs.read_sky_catalog
    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 323.36, "CRVAL2": -0.82, "CRPIX1": 20.0}
    cards |= {"CRPIX2": 15.0, "CD1_1": -2.8e-5, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 2.8e-5, "RADESYS": "ICRS"}
    image = np.arange(1200, dtype=np.float32).reshape(30, 40)
    for name, tail in (("like.fits", "-TAN"), ("like_sin.fits", "-SIN"), ("image.fits", "-TAN")):
        header = fits.Header(cards | {"CTYPE1": f"RA--{tail}", "CTYPE2": f"DEC-{tail}"})
        fits.PrimaryHDU(image, header).writeto(folder / name)
        readers[name] = catalogs.read_reference_image if name == "image.fits" else grid_image.read_grid
    (folder / "settings.toml").write_text(to_toml(Settings()))
    readers["settings.toml"] = lambda path: read_settings(path, [])
    return {folder / name: reader for name, reader in readers.items()}


def damage_table(name: str, content: bytes, rng: random.Random) -> tuple[str, bytes, bool]:
    """Return what was done to a file, its new content, and whether only a refusal is right."""
    at = rng.randrange(len(content))
    kind = rng.choice(["word", "word", "cut", "byte", "line", "swap", "long", "bom", "null", "latin", "value"])
    lines = content.split(b"\n")
    place = rng.randrange(len(lines))
    if kind == "word" and name in TEXTS and TEXTS[name][1]:
        return _word(name, lines, rng)
    if kind == "value":  # a value of a header, or after an equals sign
        found = list(re.finditer(rb"= +[^ /\n]+", content))
        if found:
            span = rng.choice(found).span()
            junk = rng.choice(WORDS[:6])
            made = (b"= " + junk).ljust(span[1] - span[0])[: span[1] - span[0]]
            return f"value at {span[0]} to {junk[:8]!r}", content[: span[0]] + made + content[span[1] :], False
    changed = {
        "cut": content[:at],
        "line": b"\n".join(lines[:place] + lines[place + 1 :]),
        "swap": b"\n".join([*lines[:place], *reversed(lines[place:])]),
        "long": content + b"x" * 200_000,
        "bom": b"\xef\xbb\xbf" + content,
        "null": content[:at] + bytes(rng.choice([1, 80, 2880])) + content[at:],
        "latin": content[:at] + "Å¿".encode("latin-1") + content[at:],
    }.get(kind, content[:at] + rng.randbytes(1) + content[at + 1 :])
    return f"{kind} at {at}", changed, False


def _word(name: str, lines: list[bytes], rng: random.Random) -> tuple[str, bytes, bool]:
    """Put a word in place of a number that must be one."""
    comma = b"," if b"," in lines[0] else None
    titles = lines[0].split(comma)
    column = rng.choice(TEXTS[name][1])
    row = rng.randrange(1, len([line for line in lines if line]))
    cells = lines[row].split(comma)
    word = rng.choice((b"north", b"1e999", b"--5", b"inf"))
    cells[titles.index(column.encode())] = word
    lines[row] = (comma or b"  ").join(cells)
    return f"{column} of row {row} to {word!r}", b"\n".join(lines), True
