"""AstroDrizzle on exposures of ACS or WFC3, north up: run by the interpreter that has it, on copies of the exposures.

    ORACLE_PYTHON benchmarks/incumbent_drizzle.py FOLDER SCALE BITS [KEYWORD=VALUE ...]

FOLDER holds ``*_flt.fits`` or ``*_flc.fits``, whose data quality is changed. Cosmic rays are searched with the values
of the archive's own mosaics of 2 to 5 exposures. No service is asked; the WCS of the files is taken as it is.
"""

from __future__ import annotations

import ast
import os
import sys
import warnings


def main() -> None:
    folder, scale, bits, *words = sys.argv[1:]
    os.chdir(folder)
    os.environ["ASTROMETRY_STEP_CONTROL"] = "off"
    warnings.simplefilter("ignore")
    from drizzlepac import astrodrizzle

    files = sorted(name for name in os.listdir() if name.endswith(("_flt.fits", "_flc.fits")))
    more = {key: ast.literal_eval(value) for key, value in (word.split("=", 1) for word in words)}
    astrodrizzle.AstroDrizzle(
        files, **{
            "output": "theirs", "preserve": False, "clean": True, "build": True, "num_cores": 1, "resetbits": 4096,
            "driz_sep_bits": bits, "final_bits": bits, "combine_type": "minmed", "driz_cr_snr": "3.5 3.0",
            "driz_cr_scale": "1.5 1.2", "final_wcs": True, "final_scale": float(scale), "final_rot": 0.0,
            "final_pixfrac": 1.0, "final_kernel": "square", "final_wht_type": "EXP", **more,
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
