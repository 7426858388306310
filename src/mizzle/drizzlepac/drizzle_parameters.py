"""The parameters of AstroDrizzle, and what each becomes."""

from __future__ import annotations

from typing import Any

from mizzle.translation.parameters import Task

_ALWAYS = "the full distortion is always applied, in counts at one PHOTFLAM"
_EXACT = "the mapping is exact to 1e-4 pixel; memory and threads look after themselves"
_KEPT = "the first bytes of every changed file are kept in OrIg_files, and found there again"
_OWN = "the search for cosmic rays chooses its own grids, weights and masks"
_MEMORY = "nothing is buffered"
_HEADER = "read from the headers"
_NOISE = "the noise model is mizzle's: section noise of the settings"

TASK = Task(
    "AstroDrizzle",
    {
        **{"input": "*flt.fits", "output": "", "runfile": "astrodrizzle.log", "wcskey": "", "group": ""},
        **{"build": False, "context": True, "crbit": 4096, "resetbits": "4096", "num_cores": None},
        **{"restore": False, "clean": False},
        **{"static": True, "static_sig": 4.0},
        **{"skysub": True, "skymethod": "localmin", "skystat": "median", "skyuser": "", "skyfile": ""},
        **{"skymask_cat": "", "skylower": None, "skyupper": None},
        **{"skyclip": 5, "skylsigma": 4.0, "skyusigma": 4.0},
        **{"driz_separate": True, "driz_sep_bits": "0", "driz_sep_fillval": None, "driz_sep_wcs": False},
        **{f"driz_sep_{key}": None for key in ("rot", "scale", "outnx", "outny", "ra", "dec", "crpix1", "crpix2")},
        **{"driz_sep_refimage": "", "driz_sep_pixfrac": 1.0, "driz_sep_kernel": "turbo"},
        **{"median": True, "combine_maskpt": 0.3, "combine_type": "minmed", "combine_nsigma": "4 3"},
        **{"combine_nlow": 0, "combine_nhigh": 0, "combine_lthresh": None, "combine_hthresh": None},
        **{"blot": True, "blot_interp": "poly5"},
        **{"driz_cr": True, "driz_cr_corr": False, "driz_cr_snr": "3.5 3.0", "driz_cr_scale": "1.2 0.7"},
        **{"driz_cr_grow": 1, "driz_cr_ctegrow": 0},
        **{"driz_combine": True, "final_wht_type": "EXP", "final_kernel": "square", "final_pixfrac": 1.0},
        **{"final_fillval": None, "final_bits": "0", "final_units": "cps", "final_wcs": False, "final_refimage": ""},
        **{f"final_{key}": None for key in ("rot", "scale", "outnx", "outny", "ra", "dec", "crpix1", "crpix2")},
    },
    {
        "proc_unit": ("native", _ALWAYS),
        "coeffs": (True, _ALWAYS),
        "stepsize": (10, _EXACT),
        "in_memory": (False, _EXACT),
        "rules_file": ("", "headers follow mizzle's own rules"),
        "preserve": (True, _KEPT),
        "overwrite": (False, _KEPT),
        "skywidth": (0.1, "the mode needs no bin width"),
        "use_static": (True, "what is far off is clipped, on both sides"),
        "sky_bits": ("0", "final_bits chooses the good pixels of every step"),
        "driz_sep_wt_scl": ("exptime", _OWN),
        "driz_sep_compress": (False, "single images are written plain"),
        "median_newmasks": (True, _OWN),
        "combine_grow": (1, "each pixel is judged by itself"),
        "combine_bufsize": (None, _MEMORY),
        "blot_sinscl": (1.0, "sinc is not offered"),
        "blot_addsky": (True, "the sky is always part of the noise"),
        "blot_skyval": (0.0, "the sky is always part of the noise"),
        "final_wt_scl": ("exptime", "weights are seconds at one sensitivity, or inverse variances"),
        "final_maskval": (None, "masked pixels of the product take final_fillval"),
        "gain": ("", _NOISE),
        "rdnoise": ("", _NOISE),
        "gnkeyword": ("", _HEADER),
        "rnkeyword": ("", _HEADER),
        "exptime": ("", _HEADER),
        "expkeyword": ("", _HEADER),
        "mdriztab": (False, "WFPC2 has no MDRIZTAB"),
        "updatewcs": (False, "call mizzle.stwcs.updatewcs"),
    },
)

#: What the incumbent's recommended thresholds for WFPC2 are here: mizzle's own defaults, in true sigma.
RECOMMENDED_SNR, RECOMMENDED_SCALE = (5.5, 3.5), (2.0, 1.5)

#: Ways to combine, by the incumbent's name; those with i fill from the single images where all are masked.
COMBINE: dict[str, Any] = {
    "minmed": "minmed",
    "iminmed": "minmed",
    "median": "median",
    "imedian": "median",
    "mean": "mean",
    "imean": "mean",
    "sum": "mean",
    "isum": "mean",
}

#: Those that are a sum: every exposure over the mean of all is compared with it, and ``_med`` is the sum itself.
TOTALS = ("sum", "isum")

INTERPOLATION = {"nearest": "nearest", "linear": "linear", "poly3": "poly3", "poly5": "poly5", "lan3": "lanczos3"}
