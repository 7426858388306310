"""Runs in the oracle's interpreter: the notebook's calls on the files of a folder.

Usage: ``python oracle_calls.py FOLDER REFERENCES GRID``; GRID is JSON of final_ra, final_dec, final_outnx, final_outny.
"""

from __future__ import annotations

import json
import os
import sys


def main(folder: str, references: str, grid: str) -> None:
    os.chdir(folder)
    os.environ["uref"] = references.rstrip("/") + "/"  # noqa: SIM112
    os.environ["ASTROMETRY_STEP_CONTROL"] = "off"
    from drizzlepac import astrodrizzle, photeq, tweakreg
    from stwcs import updatewcs

    updatewcs.updatewcs("ua*c0m.fits", use_db=False)
    tweakreg.TweakReg(
        "ua*c0m.fits", updatehdr=True, reusename=True, interactive=False, conv_width=3.0, threshold=30.0, peakmin=100,
        peakmax=10000, see2dplot=False, residplot="NO plot",
    )  # fmt: skip
    photeq.photeq(files="ua*_c0m.fits", ref_phot_ext=3, readonly=False)
    astrodrizzle.AstroDrizzle(
        "ua*c0m.fits", output="both", preserve=False, clean=True, skysub=False, static=False, median=False, blot=False,
        driz_cr=False, driz_separate=False, final_fillval=None, final_bits="8,1024", final_wcs=True, final_scale=0.0996,
        final_rot=0.0, **json.loads(grid),
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
