"""Make instrument/data/encircled_energy.csv and ab_minus_vega.csv: a row per camera and filter, four decimals.

    python tools/make_photometry_tables.py FOLDER

FOLDER holds ``encircled_energy.ecsv`` (STScI's encircled energies, as packaged by grizli, MIT) and ``ab_vega_hst.ecsv``
(AB magnitude of Vega, computed from the spectrum alpha_lyr_stis_011 through throughput curves packaged by astro-sedpy
and pyphot, MIT).
"""

from __future__ import annotations

import sys
from pathlib import Path

from astropy.table import Table

CAMERAS = {"acs,wfc1": "ACS/WFC", "wfc3,uvis2": "WFC3/UVIS", "wfc3,ir": "WFC3/IR"}
BANDS = {"acs_wfc": "ACS/WFC", "acs_hrc": "ACS/HRC", "wfc3_uvis": "WFC3/UVIS", "wfc3_ir": "WFC3/IR"}


def main(folder: Path) -> None:
    """Write both files."""
    out = Path(__file__).parents[1] / "src" / "mizzle" / "instrument" / "data"
    table = Table.read(folder / "encircled_energy.ecsv")
    lines = ["camera,filter," + ",".join(f"{radius:g}" for radius in table["radius"])]
    for name in table.colnames[1:]:
        camera, band = name.rsplit(",", 1)
        lines.append(f"{CAMERAS[camera]},{band.upper()}," + ",".join(f"{value:.4f}" for value in table[name]))
    (out / "encircled_energy.csv").write_text("\n".join(lines) + "\n", "utf-8")
    lines = ["camera,filter,ab_minus_vega"]
    for row in Table.read(folder / "ab_vega_hst.ecsv"):
        camera, band = str(row["band"]).rsplit("_", 1)
        lines.append(f"{BANDS[camera]},{band.upper()},{row['ab_minus_vega']:.4f}")
    (out / "ab_minus_vega.csv").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
