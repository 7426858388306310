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
        "driz_cr_scale": "reject.seed_slope and reject.neighbor_slope",
        "driz_cr_grow": "reject.grow",
        "driz_cr_ctegrow": "reject.cte_grow",
        "driz_cr": "reject.method (none switches the search off)",
        "driz_cr_corr": "output.exposures",
        "crbit": "output.exposures",
        "resetbits": "dq.rays",
        "driz_sep_kernel": "reject.kernel",
        "driz_sep_pixfrac": "reject.pixfrac",
        "combine_type": "reject.combine",
        "combine_nsigma": "reject.combine_sigma",
        "combine_nlow": "reject.nlow",
        "combine_nhigh": "reject.nhigh",
        "combine_lthresh": "reject.combine_low",
        "combine_hthresh": "reject.combine_high",
        "combine_maskpt": "reject.min_coverage",
        "blot_interp": "reject.interpolation",
        "blot_sinscl": "reject.interpolation",
        "median": "reject.method",
        "blot": "reject.method",
        "driz_separate": "reject.method",
        "driz_combine": "output.mosaic",
        "static": "reject.static",
        "static_sig": "reject.static_sigma",
        "final_units": "output.units",
        "final_wcs": "combine.ra, combine.dec, combine.scale and combine.rotation",
        "final_maskval": "combine.fill",
        "build": "output.separate",
        "context": "output.separate",
        "group": "input.chips",
        "skysub": "sky.method",
        "skystat": "sky.statistic",
        "skyuser": "sky.values",
        "skymask_cat": "sky.exclude",
        "skyclip": "sky.iterations",
        "skylsigma": "sky.clip",
        "skyusigma": "sky.clip",
        "skylower": "sky.lower",
        "skyupper": "sky.upper",
        "use_static": "sky.clip",
        "sky_bits": "dq.good",
        "dqbits": "dq.good",
        "refcat": "align.catalog",
        "refimage": "align.image",
        "searchrad": "align.search_radius",
        "tolerance": "align.tolerance",
        "separation": "align.tolerance",
        "minobj": "align.min_matches",
        "threshold": "align.threshold",
        "conv_width": "align.fwhm_pc and align.fwhm_wf",
        "peakmax": "align.saturated",
        "sharplo": "align.sharpness_min",
        "sharphi": "align.sharpness_max",
        "roundhi": "align.roundness_max",
        "roundlo": "align.roundness_max",
        "xoffset": "align.shifts (with align.method = 'shifts')",
        "yoffset": "align.shifts (with align.method = 'shifts')",
        "catfile": "align.sources",
        "exclusions": "align.regions",
        "fitgeometry": "align.geometry",
        "ref_phot_ext": "equalize.reference",
        "ref_phot": "equalize.photflam",
        "num_cores": "--workers",
        "output": "--name",
    }
)

#: What needs no setting here, and why, by old name.
NO_SETTING: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("proc_unit", "coeffs"), "the full distortion is always applied, in counts at one PHOTFLAM"),
        **dict.fromkeys(
            ("in_memory", "stepsize", "combine_bufsize"), "the mapping is exact, and memory looks after itself"
        ),
        **dict.fromkeys(
            ("updatehdr", "wcsname", "reusename", "preserve", "overwrite", "clean", "restore", "readonly"),
            "inputs are never written, and nothing is left to clean",
        ),
        **dict.fromkeys(
            ("driz_sep_wcs", "driz_sep_scale", "driz_sep_rot", "driz_sep_fillval", "driz_sep_wt_scl", "combine_grow"),
            "the search for cosmic rays chooses its own grids and weights",
        ),
        **dict.fromkeys(("blot_addsky", "blot_skyval", "skywidth"), "the sky is always part of the noise"),
        **dict.fromkeys(("final_wt_scl",), "weights are seconds at one sensitivity, or inverse variances"),
        **dict.fromkeys(
            ("nclip", "sigma", "use2dhist"), "outliers lose their weight smoothly, and offsets are voted on"
        ),
        **dict.fromkeys(
            ("interactive", "see2dplot", "residplot", "writecat", "logfile"),
            "the report has the figures, tables and lines of the log",
        ),
    }
)
