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

    from mizzle.drizzlepac.photeq import PHOTEQ_TASK
    from mizzle.skypac.skymatch import SKYMATCH_TASK
    from mizzle.stwcs.updatewcs import UPDATEWCS_TASK

    page = (Path(__file__).parents[2] / "docs" / "from_drizzlepac.md").read_text(encoding="utf-8")
    for task in (TASK, TWEAK_TASK, PHOTEQ_TASK, SKYMATCH_TASK, UPDATEWCS_TASK):
        missing = [name for name in (*task.used, *task.void) if f"`{name}`" not in page]
        assert not missing, (task.name, missing)
