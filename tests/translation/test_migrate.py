"""`mizzle migrate`: what is rewritten, and what is said."""

from __future__ import annotations

import ast
import json

import pytest

from mizzle import InputError
from mizzle.cli import main
from mizzle.drizzlepac.drizzle_parameters import TASK
from mizzle.drizzlepac.tweakreg import TWEAK_TASK
from mizzle.translation.migrate import migrate

TASKS = {"AstroDrizzle": TASK, "TweakReg": TWEAK_TASK}

SCRIPT = """import glob
from stwcs import updatewcs
import drizzlepac
import drizzlepac.photeq
from drizzlepac import tweakreg, astrodrizzle
from stsci.skypac import skymatch
from astropy.io import fits
first = glob.glob('ua*c0m.fits')[0]
tweakreg.TweakReg('ua*c0m.fits', threshold=300.0, updatehdr=True)
astrodrizzle.AstroDrizzle('ua*c0m.fits', final_scale=0.1, stepsize=1, final_pixfrc=0.8)
image = fits.getdata('final_drz_sci.fits')
"""


def test_imports_are_rewritten_and_nothing_else():
    made = migrate(SCRIPT, TASKS, notebook=False)
    lines = made.text.splitlines()
    assert lines[1] == "from mizzle.stwcs import updatewcs"
    assert lines[2] == "import mizzle.drizzlepac as drizzlepac"
    assert lines[3].startswith("import mizzle.drizzlepac.photeq")
    assert lines[4] == "from mizzle.drizzlepac import tweakreg, astrodrizzle"
    assert lines[5] == "from mizzle.skypac import skymatch"
    assert lines[6:] == SCRIPT.splitlines()[6:]
    ast.parse(made.text)


def test_what_differs_is_said_with_its_line():
    said = {(remark.place, remark.text) for remark in migrate(SCRIPT, TASKS, notebook=False).remarks}
    text = "\n".join(f"{place}: {words}" for place, words in said)
    assert "line 8: an element of an unsorted glob" in text
    assert "line 9: TweakReg: threshold changes nothing here" in text
    assert "updatehdr" not in text
    assert "line 10: AstroDrizzle: stepsize changes nothing" in text
    assert "line 10: AstroDrizzle: final_pixfrc is no parameter of it" in text
    assert "line 11: AstroDrizzle writes _drw" in text


def test_a_notebook_stays_one(tmp_path, capsys):
    cell = {"cell_type": "code", "source": ["%matplotlib inline\n", "from drizzlepac import photeq\n"], "outputs": []}
    document = {"cells": [{"cell_type": "markdown", "source": "drizzlepac"}, cell], "nbformat": 4, "metadata": {}}
    (tmp_path / "a.ipynb").write_text(json.dumps(document))
    with pytest.raises(SystemExit) as code:
        main(["migrate", str(tmp_path / "a.ipynb")])
    assert code.value.code == 0
    made = json.loads((tmp_path / "a_mizzle.ipynb").read_text())
    assert made["cells"][0] == document["cells"][0]
    assert made["cells"][1]["source"] == ["%matplotlib inline\n", "from mizzle.drizzlepac import photeq\n"]
    assert "wrote" in capsys.readouterr().out


def test_what_is_no_notebook_is_refused():
    with pytest.raises(InputError, match="Jupyter"):
        migrate("[]", TASKS, notebook=True, source="a.ipynb")


def test_every_parameter_is_on_the_page():
    from pathlib import Path

    from mizzle.drizzlepac.ablot import BLOT_TASK
    from mizzle.drizzlepac.catalogs import CATALOG_TASK
    from mizzle.drizzlepac.photeq import PHOTEQ_TASK
    from mizzle.drizzlepac.updatehdr import SHIFT_TASK
    from mizzle.skypac.skymatch import SKYMATCH_TASK
    from mizzle.stwcs.updatewcs import UPDATEWCS_TASK
    from mizzle.stwcs.wcsutil.headerlet import APPLY_TASK, WRITE_TASK

    page = (Path(__file__).parents[2] / "docs" / "from_drizzlepac.md").read_text(encoding="utf-8")
    main = (TASK, TWEAK_TASK, PHOTEQ_TASK, SKYMATCH_TASK, UPDATEWCS_TASK)
    for task in (*main, BLOT_TASK, CATALOG_TASK, SHIFT_TASK, APPLY_TASK, WRITE_TASK):
        missing = [name for name in (*task.used, *task.void) if f"`{name}`" not in page]
        assert not missing, (task.name, missing)


IMPORTS = """import os, drizzlepac, stwcs.wcsutil as w  # all
import drizzlepac.mapreg
from stsci import skypac
from stsci.tools import teal
from drizzlepac import findobj, tweakback
from stwcs.wcsutil import HSTWCS, wcsdiff
if os:
    import drizzlepac.astrodrizzle as ad
"""


def test_every_form_of_import_is_rewritten_and_what_is_not_there_is_said():
    made = migrate(IMPORTS, TASKS, notebook=False)
    assert made.text.splitlines() == [
        "import os; import mizzle.drizzlepac as drizzlepac; import mizzle.stwcs.wcsutil as w  # all",
        "import mizzle.drizzlepac.mapreg; import mizzle.drizzlepac as drizzlepac",
        "from mizzle import skypac",
        "from stsci.tools import teal",
        "from mizzle.drizzlepac import findobj, tweakback",
        "from mizzle.stwcs.wcsutil import HSTWCS, wcsdiff",
        "if os:",
        "    import mizzle.drizzlepac.astrodrizzle as ad",
    ]
    missing = {(r.place, r.text.split()[0]) for r in made.remarks if "no counterpart" in r.text}
    assert missing == {
        ("line 2", "drizzlepac.mapreg"), ("line 5", "drizzlepac.findobj"), ("line 6", "stwcs.wcsutil.wcsdiff")
    }  # fmt: skip


def test_globs_files_and_spread_parameters():
    code = (
        "files = glob.glob('u*c0m.fits')\n"
        "first = sorted(glob.glob('u*c0m.fits'))[0]\n"
        "AstroDrizzle(files, **{'stepsize': 1, 'final_pixfrc': 1})\n"
        "fits.open(f'{root}_sci1_dqmask.fits'), fits.open('m2_med.fits')\n"
    )
    remarks = migrate(code, TASKS, notebook=False).remarks
    assert [remark.place for remark in remarks] == sorted(remark.place for remark in remarks)
    text = "\n".join(f"{remark.place}: {remark.text}" for remark in remarks)
    assert "line 1: an unsorted glob" in text
    assert "line 2" not in text
    assert "line 3: AstroDrizzle: final_pixfrc is no parameter" in text
    assert "line 3: AstroDrizzle: stepsize changes nothing" in text
    assert "line 4: *_dqmask.fits is not written" in text
    assert "median=True" in text


def test_the_rewritten_notebook_says_only_what_is_there(tmp_path):
    """Every module that the notebook of 2018 imports is there under its new name."""
    source = (
        "from stwcs.updatewcs import updatewcs\nfrom drizzlepac import tweakreg, astrodrizzle, photeq\n"
        "from stsci.skypac import skymatch\nfrom stwcs.wcsutil import HSTWCS\n"
        "from drizzlepac.wfpc2Data import WFPC2_GAINS\n"
    )
    made = migrate(source, TASKS, notebook=False)
    assert not made.remarks
    names: dict = {}
    exec(made.text, names)
    assert names["WFPC2_GAINS"][3][7][0] == 6.9


NAMES = """import drizzlepac, stwcs
from drizzlepac import updatehdr as uh, astrodrizzle
from stwcs.wcsutil import HSTWCS, altwcs
import stwcs.wcsutil.headerlet as hl
drizzlepac.findobj.findstars(image)
uh.linearize(1), uh.updatewcs_with_shift('a', 'b', xsh=1.0, fitgeom='general', xshift=2)
astrodrizzle.adrizzle.do_driz(*arguments)
stwcs.wcsutil.altwcs.wcsnames('a'), altwcs.wcsnames('a')
stwcs.wcsutil.wcsdiff.is_wcs_identical('a')
HSTWCS('a').wcs.crval, HSTWCS.copy(w), numpy.findobj.x
hl.create_headerlet('a'), hl.write_headerlet('a', 'b', attach=False)
uh.linearize(2)
astrodrizzle.AstroDrizzle('a', combine_type='sum', skyclip=3)
"""


def test_names_behind_a_dot_are_looked_up():
    remarks = migrate(NAMES, TASKS, notebook=False).remarks
    missing = [(r.place, r.text.split()[0]) for r in remarks if "no counterpart" in r.text]
    assert missing == [
        ("line 5", "drizzlepac.findobj"), ("line 6", "drizzlepac.updatehdr.linearize"),
        ("line 9", "stwcs.wcsutil.wcsdiff"), ("line 11", "stwcs.wcsutil.headerlet.create_headerlet"),
    ]  # fmt: skip


def test_the_newer_calls_are_known_to_the_command(tmp_path, capsys):
    (tmp_path / "a.py").write_text(NAMES)
    with pytest.raises(SystemExit) as code:
        main(["migrate", str(tmp_path / "a.py")])
    assert code.value.code == 0
    text = capsys.readouterr().out.replace("\n", " ")
    assert "line 6: updatewcs_with_shift: fitgeom changes nothing here" in text
    assert "line 6: updatewcs_with_shift: xshift is no parameter of it" in text
    assert "line 7: do_driz: the mapping is exact" in text
    assert "line 11: write_headerlet: headerlets are files" in text
    assert "combine_type = 'sum': exposures are compared with the mean" in text
    assert "skyclip" not in text
