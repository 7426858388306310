"""What parameters of drizzlepac are called here: for people who type the names they know."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: New name by old one, lower case.
OLD_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "final_scale": "combine.scale",
        "final_pixfrac": "combine.pixfrac",
        "final_kernel": "combine.kernel",
        "final_rot": "combine.rotation",
        "final_ra": "combine.ra",
        "final_dec": "combine.dec",
        "final_outnx": "combine.nx",
        "final_outny": "combine.ny",
        "final_crpix1": "combine.crpix1",
        "final_crpix2": "combine.crpix2",
        "final_refimage": "combine.like (or --like)",
        "final_wht_type": "combine.weight",
        "final_fillval": "combine.fill",
        "final_bits": "dq.good",
        "driz_sep_bits": "dq.good",
        "skymethod": "sky.method",
        "skyfile": "sky.file",
        "driz_cr_snr": "reject.seed_sigma and reject.neighbor_sigma",
        "refcat": "align.catalog",
        "refimage": "align.image",
        "searchrad": "align.search_radius",
        "fitgeometry": "align.geometry",
        "num_cores": "--workers",
        "output": "--name",
    }
)
