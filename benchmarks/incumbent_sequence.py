"""The notebook's sequence in the incumbent's hands: run by the interpreter that has it, on copies of the exposures.

    ORACLE_PYTHON benchmarks/incumbent_sequence.py FOLDER

FOLDER holds ``*_c0m.fits`` with their ``*_c1m.fits``, which are changed; ``$uref`` names the folder of the reference
tables. The calls are those of the notebook "Drizzling WFPC2 Images to use a Single Zeropoint".
"""

from __future__ import annotations

import os
import sys
import warnings


def main() -> None:
    os.chdir(sys.argv[1])
    os.environ["ASTROMETRY_STEP_CONTROL"] = "off"  # it would ask a service
    warnings.simplefilter("ignore")
    from drizzlepac import astrodrizzle, photeq, tweakreg
    from stwcs.updatewcs import updatewcs

    updatewcs("ua*c0m.fits", use_db=False)
    tweakreg.TweakReg(
        "ua*c0m.fits", updatehdr=True, reusename=True, interactive=False, conv_width=3.0, threshold=300.0,
        peakmin=100, peakmax=10000,
    )  # fmt: skip
    photeq.photeq(files="ua*_c0m.fits", ref_phot_ext=3, readonly=False)
    astrodrizzle.AstroDrizzle(
        "ua*c0m.fits", preserve=False, driz_sep_bits="8,1024", driz_sep_wcs=True, driz_sep_scale=0.0996,
        combine_type="median", driz_cr_snr="5.5 3.5", driz_cr_scale="2.0 1.5", final_fillval=None,
        final_bits="8,1024", final_wcs=True, final_scale=0.0996,
    )  # fmt: skip


if __name__ == "__main__":
    main()
