# ruff: noqa: E501  # a table reads better in rows
"""Faults put into good simulated visits, one kind each: files as a telescope, a pipeline or a hand may leave them.

A fault changes HDU lists of `*_c0m` and `*_c1m` files, as they would lie on disk. `FAULTS` says where the verdict has
to show each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy.ndimage import gaussian_filter, uniform_filter

from mizzle.errors import MizzleError
from mizzle.execution import make_runner
from mizzle.io.examine import examine
from mizzle.model import Result
from mizzle.pipeline import process, run
from mizzle.settings import Settings
from mizzle.simulate import visit, write_visit
from mizzle.simulate.photometry import photflam

SIDE = 800
#: Numbers of PC, WF2, WF3, WF4 in the files.
ALL = (1, 2, 3, 4)


class Files(dict):
    """``root -> (c0m, c1m)``: HDU lists of one visit, sorted by root."""

    def sci(self, which=None, chips=ALL):
        """Go over pixels of exposures (indices; None: all) and chips."""
        for root in self._roots(which):
            for chip in chips:
                yield self[root][0][chip]

    def dq(self, which=None, chips=ALL):
        """The same, of data quality."""
        for root in self._roots(which):
            for chip in chips:
                yield self[root][1][chip]

    def cards(self, keyword, value, which=None):
        """Set a keyword in primary headers of both files."""
        for root in self._roots(which):
            for hdus in self[root]:
                hdus[0].header[keyword] = value

    def _roots(self, which):
        roots = list(self)
        return roots if which is None else [roots[i] for i in which]


@dataclass(frozen=True)
class Fault:
    """One kind.

    Parameters
    ----------
    name : str
        A few words.
    inject : callable
        Changes a `Files`.
    parts : tuple of str
        Where the verdict must be WARN or FAIL: one of these; ``refused``: the run stops with a message; ``mended``: the
        result is right all the same, and no part may warn.
    names : str
        What a sentence must name: ``1`` an exposure by its index, a chip, or both (``1 WF4``).
    base : str
        Which visit; a key of `BASES`.
    """

    name: str
    inject: Callable[[Files], None]
    parts: tuple[str, ...]
    names: str = ""
    base: str = "dithered"


#: Good visits. Small numbers of exposures: what is seen in three is seen in more.
BASES = {
    "dithered": {"n": 3, "seed": 5},
    "single": {"n": 1, "seed": 6},
    "pair": {"n": 2, "seed": 7, "dithers": ((0.0, 0.0),)},
    "long and short": {"n": 3, "seed": 9, "exptime": (500.0, 400.0, 500.0)},
    "unfocused": {"n": 3, "seed": 10, "effects": {"defocus": 0.15}},
    "other filter": {"n": 3, "seed": 11, "sensitivity": (1.0, 2.4, 1.0)},
    "short": {"n": 3, "seed": 12, "exptime": 6.0},
    "wide": {"n": 4, "seed": 8, "brightest": 15.0},
    "40 and 500 s": {"n": 4, "seed": 14, "exptime": (40.0, 500.0, 40.0, 500.0)},
}


def grid():
    """Rows and columns of a chip, -0.5 to 0.5."""
    return (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE - 0.5


def scale(factor, which=None, chips=ALL):
    def inject(files):
        for hdu in files.sci(which, chips):
            hdu.data = (hdu.data * factor).astype(np.float32)

    return inject


def add(image, which=None, chips=ALL):
    """Add DN: a number, an image, or a function of rows and columns."""

    def inject(files):
        y, x = grid()
        more = image(y, x) if callable(image) else image
        for hdu in files.sci(which, chips):
            hdu.data = (hdu.data + more).astype(np.float32)

    return inject


def replace(change, which=None, chips=ALL):
    def inject(files):
        for hdu in files.sci(which, chips):
            hdu.data = np.asarray(change(hdu.data.copy()), dtype=np.float32)

    return inject


def quality(change, which=None, chips=ALL):
    def inject(files):
        for hdu in files.dq(which, chips):
            hdu.data = np.asarray(change(hdu.data.copy()), dtype=hdu.data.dtype)

    return inject


def card(keyword, value, which=None):
    return lambda files: files.cards(keyword, value, which)


def chip_card(keyword, change, which=None, chips=ALL):
    def inject(files):
        for hdu in files.sci(which, chips):
            hdu.header[keyword] = change(hdu.header.get(keyword))

    return inject


def several(*steps):
    def inject(files):
        for step in steps:
            step(files)

    return inject


# ---- Images


def gradient(y, x):
    return 15.0 * (x + 0.5)


def earth_cross(y, x):
    """Light of the Earth behind the shadows of the spider's vanes: a dark X."""
    near = np.minimum(np.abs(x - y), np.abs(x + y))
    return 20.0 * (1.0 - 0.6 * np.exp(-0.5 * (near / 0.05) ** 2))


def ghost(y, x):
    return 15.0 * np.exp(-0.5 * ((x - 0.1) ** 2 + (y + 0.1) ** 2) / 0.12**2)


def doubled(image):
    """The telescope moved half-way through."""
    return 0.5 * image + 0.5 * np.roll(image, (7, 9), (0, 1))


def trailed(image, length=5):
    return sum(np.roll(image, k, 1) for k in range(length)) / length


def moved(length):
    """Trail the stars over so many pixels; the noise stays what it was."""

    def change(image):
        rng = np.random.default_rng(int(np.abs(image[:50]).sum()))
        return trailed(image, length) + rng.normal(0.0, np.sqrt(1.0 - 1.0 / length), image.shape)

    return change


def nothing(files):
    """The visit is the fault."""


def one_photflam(files):
    """PHOTFLAM of the second exposure is that of the first."""
    roots = list(files)
    for chip in ALL:
        files[roots[1]][0][chip].header["PHOTFLAM"] = files[roots[0]][0][chip].header["PHOTFLAM"]


def exchanged_photflam(files):
    """PHOTFLAM of WF2 under WF3 and the other way round, in the second exposure."""
    two, three = (files[list(files)[1]][0][chip].header for chip in (2, 3))
    two["PHOTFLAM"], three["PHOTFLAM"] = three["PHOTFLAM"], two["PHOTFLAM"]


def supernova(files):
    """A star of some 19 mag in the third and fourth exposure, between the others on WF3."""
    with_star = list(files)[2:]
    frames = {e.root: e.chips["WF3"].frame for e in visit(**BASES["wide"]).exposures}
    place = frames[with_star[0]].pixel_to_sky(np.array([411.2]), np.array([388.4]))
    v, u = np.mgrid[:SIDE, :SIDE]
    for root in with_star:
        (x,), (y,) = frames[root].sky_to_pixel(*place)
        r = np.hypot(u - x, v - y) * 0.0996
        hdu = files[root][0][3]
        for width, share in ((0.07, 0.75), (0.2, 0.25)):
            star = 20000.0 * share * np.exp(-0.5 * (r / width) ** 2) / (2 * np.pi * (width / 0.0996) ** 2)
            hdu.data = (hdu.data + np.round(star)).astype(np.float32)


def responding(power):
    """Counts to a power about 1, as at 300 DN: stars of six times the light change by `power` times 1.8."""

    def change(image):
        return image * (np.maximum(image, 3.0) / 300.0) ** power

    return change


def saturating(share):
    """Counts lost in proportion to counts: `share` of them near the converter's last."""
    return lambda image: image * (1.0 - share * np.clip(image / 3800.0, 0.0, 1.0))


def flattened(flat):
    """Pixels times a function of rows and columns."""
    return lambda image: image * flat(*grid())


def tilt(y, x):
    return 1.0 - 0.1 * x


def corner(y, x):
    """10 % low in the corner of high x and y, nothing below the diagonal."""
    return 1.0 - 0.1 * np.clip(x + y, 0.0, 1.0)


def vignetting(y, x):
    """10 % low in the corner that is farthest from the pyramid's apex."""
    return 1.0 - 0.05 * ((x + 0.5) ** 2 + (y + 0.5) ** 2)


def satellite(image):
    y, x = np.mgrid[:SIDE, :SIDE]
    return image + 60.0 * np.exp(-0.5 * ((y - 0.7 * x - 100) / np.hypot(1, 0.7) / 2.5) ** 2)


def hot_pixels(image, count=8000, seed=1):
    rng = np.random.default_rng(seed)
    image[rng.integers(0, SIDE, count), rng.integers(0, SIDE, count)] += rng.exponential(40.0, count) + 8.0
    return image


def hot_columns(image):
    image[:, [211, 302, 303, 517, 680]] += 12.0
    return image


def ray_storm(image):
    rng = np.random.default_rng(int(np.abs(image[:50]).sum()))
    hit = gaussian_filter((rng.random(image.shape) < 0.012) * rng.exponential(900.0, image.shape), 0.5)
    return image + hit


def nan_block(image):
    image[200:320, 300:420] = np.nan
    return image


def dead_columns(image):
    image[:, 650:] = 0.0
    return image


def lost_rows(image):
    image[300:420] = -100.0
    return image


def holes(image):
    """Stars taken off twice."""
    smooth = gaussian_filter(image, 8.0)
    return np.where(image > smooth + 40.0, 2.0 * smooth - image, image)


def noisier(image):
    return image + np.random.default_rng(int(np.abs(image[:40]).sum())).normal(0.0, 1.8, image.shape)


def nebula(y, x):
    return 90.0 + 80.0 * np.sin(9 * x + 4 * y) * np.cos(7 * y - 3 * x)


def saturated(image):
    return np.minimum(image * 200.0, 3600.0)


def swapped_times(files):
    """EXPTIME of the first, a short one, and of the second changed over."""
    one, two = list(files)[:2]
    times = [files[root][0][0].header["EXPTIME"] for root in (one, two)]
    files.cards("EXPTIME", times[1], [0])
    files.cards("EXPTIME", times[0], [1])


def twice(files):
    """The first exposure's file again, as another exposure."""
    roots = list(files)
    for k in range(2):
        source, target = files[roots[0]][k], files[roots[1]][k]
        for a, b in zip(source[1:], target[1:], strict=True):
            b.data = a.data.copy()
            for key in ("CRVAL1", "CRVAL2", "CD1_1", "CD1_2", "CD2_1", "CD2_2"):
                if key in a.header:
                    b.header[key] = a.header[key]


def copied_rows(image):
    """A packet that came twice, in place of the next one."""
    image[300:340] = image[260:300]
    return image


def copied_chip(files):
    """WF2's pixels under the header of WF3 too, in one exposure."""
    science = files[list(files)[1]][0]
    science[3].data = science[2].data.copy()


def calibrated_twice(files):
    """The first exposure in another calibration, under another name: pixels differ a little, times do not."""
    twice(files)
    scale(1.0001, [1])(files)
    first = next(iter(files.values()))[0][0].header
    for keyword in ("EXPSTART", "EXPEND", "DATE-OBS", "TIME-OBS"):
        files.cards(keyword, first[keyword], [1])


def streaked(image):
    return image + np.random.default_rng(int(np.abs(image[:50]).sum())).normal(0.0, 1.5, (SIDE, 1))


def same_root(files):
    roots = list(files)
    files.cards("ROOTNAME", files[roots[0]][0][0].header["ROOTNAME"], [1])


def exchanged_quality(files):
    roots = list(files)
    one, two = (files[root][1] for root in roots[:2])
    files[roots[0]], files[roots[1]] = (files[roots[0]][0], two), (files[roots[1]][0], one)


def swapped_chips(files):
    """Pixels of WF2 under the header of WF4 and the other way round, in one exposure."""
    science = files[list(files)[1]][0]
    science[2].data, science[4].data = science[4].data.copy(), science[2].data.copy()


def lost_charge(image):
    """Each row, 800 transfers at most, keeps less of what stands above the sky: three times the worst of 2009."""
    sky = np.median(image)
    kept = 1.0 - 0.35 * np.arange(SIDE)[:, None] / SIDE
    return sky + (image - sky) * np.where(image > sky + 3.0, kept, 1.0)


def residual(files):
    """What the first exposure saw lights up, fainter and fainter, in the next ones."""
    roots = list(files)
    for chip in ALL:
        first = files[roots[0]][0][chip].data
        trace = np.where(first > 150.0, 60.0, 0.0)
        for k, root in enumerate(roots[1:]):
            files[root][0][chip].data = (files[root][0][chip].data + trace * 0.7**k).astype(np.float32)


def _header_rotated(files):
    for hdu in files.sci([1]):
        turn = np.deg2rad(4.0)
        cd = np.array([[hdu.header[f"CD{i}_{j}"] for j in (1, 2)] for i in (1, 2)])
        cd = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ cd
        for i in (1, 2):
            for j in (1, 2):
                hdu.header[f"CD{i}_{j}"] = cd[i - 1, j - 1]


ZEROPOINT, SKY, RAYS, ERRORS, SHAPE = "zeropoint", "sky", "cosmic rays", "errors", "star shape"
INPUTS, REFUSED, MENDED = "inputs", "refused", "mended"

FAULTS: tuple[Fault, ...] = (
    # Sensitivity and time
    Fault("flat of one chip 5 % off", scale(1.05, chips=(4,)), (ZEROPOINT,), "WF4"),
    Fault("PHOTFLAM of one chip 8 % wrong", chip_card("PHOTFLAM", lambda v: 1.08 * v, chips=(2,)), (ZEROPOINT,), "WF2"),
    Fault("PHOTFLAM of the other gain in one exposure", chip_card("PHOTFLAM", lambda v: 1.99 * v, [1]), (ZEROPOINT,), "1"),
    Fault("PHOTFLAM of WF2 and WF3 exchanged in one exposure", exchanged_photflam, (INPUTS,), "1 WF2"),
    Fault("shading of the shutter left in", card("SHADCORR", "OMIT"), (INPUTS,), "1", "short"),
    Fault("PHOTMODE of the other gain", chip_card("PHOTMODE", lambda v: v.replace("A2D7", "A2D15"), [1]), (INPUTS,), "1"),
    Fault("PHOTMODE of another filter", chip_card("PHOTMODE", lambda v: v.replace("F814W", "F555W"), [1]), (INPUTS,), "1"),
    Fault("gain keyword wrong", card("ATODGAIN", 15.0), (ERRORS,)),
    Fault("one exposure 3 % low", scale(0.97, [1]), (ZEROPOINT,), "1"),
    Fault("one exposure 3 % low, of a pair", scale(0.97, [1]), (ZEROPOINT,), "0", "pair"),
    Fault("EXPTIME of one exposure wrong", card("EXPTIME", 400.0, [2]), (ZEROPOINT,), "2"),
    Fault("times of two exposures exchanged", swapped_times, (ZEROPOINT,), "1", "long and short"),
    Fault("one chip of one exposure with another flat", scale(0.95, [1], (3,)), (ZEROPOINT,), "1 WF3"),
    Fault("bright stars 5 % low in one exposure", replace(responding(-0.03), [1]), (ZEROPOINT,), "1 fainter"),
    Fault("bright stars 5 % low in one exposure, of a pair", replace(responding(-0.03), [1]), (ZEROPOINT,), "0 faint", "pair"),
    Fault("bright stars 5 % low on one chip of one exposure", replace(responding(-0.03), [1], (3,)), (ZEROPOINT,), "1 WF3"),
    Fault("bright pixels up to a quarter low, long and short", replace(saturating(0.25)), (ZEROPOINT,), "against faint", "40 and 500 s"),
    Fault("flat of one chip tilted by 10 % in one exposure", replace(flattened(tilt), [1], (3,)), (ZEROPOINT,), "1 WF3"),
    Fault("corner of one chip 10 % low in one exposure", replace(flattened(corner), [1], (4,)), (ZEROPOINT,), "1 WF4"),
    Fault("vignetting by 10 % in one exposure", replace(flattened(vignetting), [1]), (ZEROPOINT,), "1 vignetting"),
    Fault("vignetting by 10 % in one exposure, of a pair", replace(flattened(vignetting), [1]), (ZEROPOINT,), "1 vignetting", "pair"),
    Fault("filter keyword wrong in one exposure", one_photflam, (ZEROPOINT, REFUSED), "1", "other filter"),
    Fault("counts divided by EXPTIME, BUNIT untouched", scale(1 / 500.0), (INPUTS,), "0"),
    Fault("counts divided by EXPTIME in one exposure", scale(1 / 500.0, [1]), (INPUTS, REFUSED), "1"),
    Fault("counts made electrons, BUNIT untouched", scale(7.0), (INPUTS,), "0"),
    Fault("single exposure divided by EXPTIME", scale(1 / 500.0), (INPUTS,), "0", "single"),
    # Bias, dark, sky
    Fault("bias pedestal on one chip, all exposures", add(6.0, chips=(3,)), (SKY,), "WF3"),
    Fault("bias pedestal on one chip of one exposure", add(12.0, [1], (2,)), (SKY,), "1 WF2"),
    Fault("dark omitted", several(card("DARKCORR", "OMIT"), add(0.4)), (INPUTS,), "0"),
    Fault("hot pixels that no flag marks", replace(hot_pixels), (RAYS,), "hot"),
    Fault("hot columns that no flag marks", replace(hot_columns, chips=(1, 2)), (INPUTS,), "0 PC"),
    Fault("hot columns in a single exposure", replace(hot_columns, chips=(3,)), (INPUTS,), "0 WF3", "single"),
    Fault("streaks of the bias", replace(streaked, [1], (4,)), (INPUTS,), "1 WF4"),
    Fault("streaks of the bias, single exposure", replace(streaked, None, (4,)), (INPUTS,), "0 WF4", "single"),
    Fault("jump of the bias, all exposures", add(lambda y, x: 0.8 * (y > 0.1), None, [3]), (INPUTS,), "1 WF3"),
    Fault("jump of the bias, single exposure", add(lambda y, x: 1.5 * (y > 0.1), None, [2]), (INPUTS,), "0 WF2", "single"),
    Fault("odd and even columns of one bias", add(lambda y, x: 0.5 * (np.floor(x * SIDE) % 2), None, [4]), (INPUTS,), "0 WF4"),
    Fault("gradient of stray light", add(gradient, [1]), (SKY,), "1"),
    Fault("light of the Earth with its cross", add(earth_cross, [1]), (SKY,), "1"),
    Fault("ghost of a bright star", add(ghost, [2], (3,)), (SKY,), "2 WF3"),
    Fault("sky subtracted before, and again", add(-5.0), (SKY,)),
    Fault("sky subtracted before (SUBSKY)", several(add(-4.0), card("SUBSKY", True)), (INPUTS,), "0"),
    Fault("sky of one exposure far off", add(40.0, [1]), (SKY,), "1"),
    Fault("nebula fills the frame", add(nebula), (SKY,)),
    # Stars
    Fault("focus far off in one exposure", replace(lambda i: gaussian_filter(i, 0.9), [1]), (SHAPE,), "1"),
    Fault("focus far off in all", nothing, (SHAPE,), "focus", "unfocused"),
    Fault("trailed stars in one exposure", replace(moved(3), [1]), (SHAPE, "alignment"), "1"),
    Fault("trailed stars in all", replace(moved(3)), (SHAPE,), "trailed"),
    Fault("smoothed image", replace(lambda i: uniform_filter(i, 3)), (REFUSED, INPUTS), "1"),
    Fault("single exposure smoothed", replace(lambda i: uniform_filter(i, 3)), (INPUTS,), "0", "single"),
    Fault("doubled exposure", replace(doubled, [1]), (ZEROPOINT, "alignment"), "1"),
    Fault("saturated field", replace(saturated), (INPUTS,), "0"),
    Fault("charge transfer loss strong", replace(lost_charge), (ZEROPOINT,)),
    Fault("negative stars", replace(holes, [1]), (INPUTS,), "1"),
    Fault("residual image", residual, (RAYS,), "1", "wide"),
    # Pointing
    Fault("guiding lost (FGSLOCK)", card("FGSLOCK", "GYROS", [1]), (INPUTS,), "1"),
    Fault("pointing wrong by 3 arcmin", chip_card("CRVAL2", lambda v: v + 0.05, [1]), (REFUSED, "alignment"), "1"),
    Fault("pointing wrong by 0.8 arcsec", chip_card("CRVAL2", lambda v: v + 0.8 / 3600, [1]), (MENDED,)),
    Fault("roll wrong by 4 degrees", _header_rotated, (MENDED,)),
    Fault("chips exchanged in one exposure", swapped_chips, (REFUSED, "alignment", RAYS), "1"),
    Fault("image mirrored", replace(lambda i: i[:, ::-1], [1]), (REFUSED, "alignment"), "1"),
    # Files
    Fault("one file under two names", same_root, (REFUSED,), "1"),
    Fault("one exposure as two", twice, (INPUTS,), "1"),
    Fault("EXPFLAG of an interrupted exposure", card("EXPFLAG", "INTERRUPTED", [1]), (INPUTS,), "1"),
    Fault("moving target (MTFLAG)", card("MTFLAG", True), (INPUTS,), "0"),
    Fault("times that contradict each other", card("EXPTIME", 450.0), (INPUTS,), "0", "single"),
    Fault("date that contradicts EXPSTART", card("DATE-OBS", "2003-01-01", [1]), (INPUTS,), "1"),
    Fault("PHOTFLAM of the other gain in all", chip_card("PHOTFLAM", lambda v: 1.99 * v), (INPUTS,), "0"),
    Fault("PHOTFLAM for electrons in a single exposure", chip_card("PHOTFLAM", lambda v: v / 7.0), (INPUTS,), "0", "single"),
    Fault("calibrated pixels scaled (USCALE)", card("USCALE", 2.0), (INPUTS,), "0"),
    Fault("telemetry filled (PODPSFF)", card("PODPSFF", 1, [1]), (INPUTS,), "1"),
    Fault("a remark on quality (QUALCOM1)", card("QUALCOM1", "SHUTTER DID NOT OPEN", [1]), (INPUTS,), "1"),
    Fault("polarizer that PHOTMODE does not name", card("FILTNAM2", "POLQ"), (INPUTS,), "0"),
    Fault("one exposure in two calibrations", calibrated_twice, (INPUTS,), "1"),
    Fault("one chip written twice", copied_chip, (INPUTS,), "1 WF3"),
    Fault("low bias level of WF4", chip_card("BIASEVEN", lambda v: 240.0, chips=(4,)), (INPUTS,), "0 WF4"),
    Fault("coordinates of 1950", chip_card("RADESYS", lambda v: "FK4"), (REFUSED,), "0"),
    Fault("flat omitted in one exposure", card("FLATCORR", "OMIT", [2]), (INPUTS,), "2"),
    # Data quality
    Fault("quality file empty", quality(lambda d: 0 * d, [1]), (INPUTS,), "1"),
    Fault("quality files empty in all", quality(lambda d: 0 * d), (INPUTS,), "0"),
    Fault("one chip wholly flagged", quality(lambda d: d | 2, [1], (3,)), (INPUTS,), "1 WF3"),
    Fault("quality of another exposure", exchanged_quality, (INPUTS,), "1", "wide"),
    Fault("quality shifted by ten pixels", quality(lambda d: np.roll(d, (10, 10), (0, 1)), [1]), (INPUTS,), "1", "wide"),
    Fault("a block of NaN", replace(nan_block, [1], (3,)), (INPUTS,), "1 WF3"),
    Fault("columns of zeros", replace(dead_columns, [1], (2,)), (INPUTS,), "1 WF2"),
    Fault("lost rows, filled", replace(lost_rows, [1], (4,)), (INPUTS,), "1 WF4"),
    Fault("rows written twice", replace(copied_rows, [1], (3,)), (INPUTS,), "1 WF3"),
    Fault("one chip dead", replace(lambda i: 0 * i, [1], (3,)), (INPUTS,), "1 WF3"),
    Fault("clipped at zero", replace(lambda i: np.maximum(i - 4.0, 0.0)), (INPUTS,), "0"),
    Fault("noise twice as large", replace(noisier), (ERRORS,)),
    Fault("noise twice as large in one exposure", replace(noisier, [1]), (INPUTS,), "1"),
    Fault("noise twice as large, single exposure", replace(noisier), (INPUTS,), "0", "single"),
    # Rays
    Fault("storm of cosmic rays", replace(ray_storm, [1]), (RAYS,), "1"),
    Fault("rays removed before", replace(lambda i: np.minimum(i, uniform_filter(i, 5) + 6.0), [1]), (INPUTS, RAYS, SHAPE), "1"),
    Fault("a supernova in two of four exposures", supernova, (RAYS,), "2 RA", "wide"),
    Fault("trail of a satellite", replace(satellite, [1], (3,)), (RAYS,), "1 WF3"),
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What a run said of a fault.

    Parameters
    ----------
    parts : dict
        Verdict by part.
    sentences : tuple of (part, verdict, sentence)
        All that are more than notes; ``refused`` where the run stopped.
    """

    parts: dict[str, str]
    sentences: tuple[tuple[str, str, str], ...]


def base_visit(folder: Path, name: str) -> Path:
    """Simulate one of `BASES` into a folder, once."""
    place = folder / f"base_{name}"
    if not place.exists():
        write_visit(visit(**BASES[name]), place)
    return place


def load(place: Path) -> Files:
    """Read a visit's files into memory."""
    files = Files()
    for path in sorted(place.glob("*_c0m.fits")):
        pair = []
        for name in (path, path.with_name(path.name.replace("_c0m", "_c1m"))):
            with fits.open(name, memmap=False) as hdus:
                pair.append(fits.HDUList([hdu.copy() for hdu in hdus]))
        files[path.name[:9]] = tuple(pair)
    return files


def write(files: Files, folder: Path) -> list[Path]:
    """Write them; return the c0m's."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for root, (science, flags) in files.items():
        flags.writeto(folder / f"{root}_c1m.fits", overwrite=True)
        paths.append(folder / f"{root}_c0m.fits")
        science.writeto(paths[-1], overwrite=True)
    return paths


def judge(paths: Sequence[Path], *, workers: int = 2) -> Seen:
    """Run a visit, nothing written, and collect what is said."""
    try:
        return seen(run(paths, workers=workers))
    except MizzleError as problem:
        return Seen({"refused": "FAIL"}, (("refused", "FAIL", str(problem)),))


def judge_visit(plan: dict, *, workers: int = 2) -> Seen:
    """Run a simulated visit in memory, its pixels looked at as a reader does."""
    runner = make_runner(workers)
    settings = Settings()
    try:
        exposures = [examine(exposure, settings.dq) for exposure in visit(runner=runner, **plan).exposures]
        return seen(process(exposures, settings, runner=runner))
    except MizzleError as problem:
        return Seen({"refused": "FAIL"}, (("refused", "FAIL", str(problem)),))


#: The Sun's light over that in V, per wavelength, around six filters (ASTM E490); zodiacal light has its color.
SUN = {"F336W": 0.51, "F439W": 0.93, "F555W": 1.0, "F606W": 0.94, "F675W": 0.8, "F814W": 0.6}


def _sky_rate(filter_name: str, brightness: float) -> float:
    """Return DN/s on a WF3 pixel of a sky of so many V magnitudes per square arcsec: 22.1 to 23.3 is zodiacal light."""
    light = 10.0 ** (-0.4 * (brightness + 21.1)) * SUN[filter_name] * 0.0996**2
    return light / photflam(filter_name, 7)["WF3"]


def clean_plan(seed: int, number: int) -> dict:
    """Return a visit without a fault: any filter, gain and time, 1 to 20 exposures, crowded to empty."""
    rng = np.random.default_rng([seed, 99, number])
    n = int(rng.choice([1, 2, 2, 3, 3, 4, 4, 5, 6, 8, 12, 20]))
    field = str(rng.choice(["random", "random", "random", "king", "blank"]))
    n = 1 if field == "blank" else n  # without stars several exposures are refused, unless their headers are trusted
    exptime = float(np.round(10 ** rng.uniform(1.3, 3.1)))
    filter_name = str(rng.choice(list(SUN)))
    gain = int(rng.choice([7, 15]))
    return {
        "n": n,
        "filter": filter_name,
        "gain": gain,
        "exptime": exptime,
        "seed": 1000 * seed + number,
        "field": field,
        "density": float(np.round(10 ** rng.uniform(0.5, 3.1))),
        "cluster_stars": int(10 ** rng.uniform(2.5, 4.0)),
        "brightest": float(rng.uniform(16.0, 19.0)),
        "date": str(rng.choice(["1995-03-01", "1999-09-10", "2003-01-20", "2008-11-30"])),
        "sky": _sky_rate(filter_name, float(rng.uniform(22.1, 23.3))),
        "pa_v3": float(rng.uniform(0.0, 360.0)),
        "effects": {
            "cte": bool(rng.integers(2)),
            "breathing": float(rng.uniform(0.0, 0.03)),
            "spikes": bool(rng.integers(2)),
        },
    }


def mixed_plan(seed: int, number: int) -> dict:
    """Return a visit without a fault whose exposures are long and short, and some of them at the other gain."""
    rng = np.random.default_rng([seed, 97, number])
    plan = clean_plan(seed, number)
    n = int(rng.choice([2, 3, 4, 5, 6]))
    longest = float(np.round(10 ** rng.uniform(2.0, 3.1)))
    times = [longest] * max(n - int(rng.integers(1, 3)), 1)
    times += [max(round(longest * 10 ** -rng.uniform(0.3, 3.2), 1), 0.3) for _ in range(n - len(times))]
    gains = [int(rng.choice([7, 15])) for _ in range(n)] if rng.random() < 0.4 else [plan["gain"]] * n
    field = "random" if plan["field"] == "blank" else plan["field"]
    density = float(np.round(10 ** rng.uniform(1.3, 3.0)))  # an empty one is refused, as it should be
    changed = {"n": n, "exptime": tuple(times), "gain": tuple(gains), "field": field, "density": density}
    return {**plan, **changed, "brightest": float(rng.uniform(15.0, 18.5))}


def crowded_plan(seed: int, number: int) -> dict:
    """Return a cluster of 5000 to 100 000 stars."""
    rng = np.random.default_rng([seed, 98, number])
    stars = int(10 ** rng.uniform(np.log10(5000), 5.0))
    core = float(rng.uniform(12.0, 40.0))
    return {"n": 4, "seed": 1000 * seed + number, "field": "king", "cluster_stars": stars, "core_radius": core}


def seen(result: Result) -> Seen:
    """Collect what a result says against itself."""
    said = [
        (f.part, str(f.verdict), f"{f.sentence}" + (f" [{', '.join(f.chips)}]" if f.chips else ""))
        for f in result.reasons
    ]
    return Seen({part: str(verdict) for part, verdict in result.parts.items()}, tuple(said))


def caught(fault: Fault, answer: Seen, roots: Sequence[str]) -> str:
    """Return why a fault counts as missed; empty where it was found."""
    if fault.parts == (MENDED,):
        return "" if not answer.sentences else f"not mended: {answer.sentences}"
    bad = [part for part, verdict in answer.parts.items() if verdict in ("WARN", "FAIL")]
    hit = [part for part in fault.parts if part in bad]
    if not hit:
        return f"passes in silence: {answer.parts}" if not bad else f"only {', '.join(bad)}"
    words = [roots[int(word)] if word.isdigit() else word for word in fault.names.split()]
    about = [sentence for part, _, sentence in answer.sentences if part in hit]
    if not any(all(word in sentence for word in words) for sentence in about):
        return f"{', '.join(hit)} says nothing of {' '.join(words)}: {about}"
    return ""


__all__ = ["BASES", "FAULTS", "Fault", "Files", "Seen", "base_visit", "caught", "judge", "load", "seen", "write"]


def row(fault: Fault, answer: Seen, problem: str, roots: Sequence[str]) -> str:
    """Return a line of the table: fault, parts, verdict, a sentence that names it."""
    if fault.parts == (MENDED,) and not problem:
        return f"| {fault.name} | alignment | PASS | the exposures are put right |"
    hit = [part for part in fault.parts if answer.parts.get(part) in ("WARN", "FAIL")]
    words = [roots[int(word)] if word.isdigit() else word for word in fault.names.split()]
    about = [sentence for part, _, sentence in answer.sentences if part in hit]
    about.sort(key=lambda sentence: not all(word in sentence for word in words))
    verdicts = ", ".join(f"{answer.parts[part]}" for part in hit)
    said = f"**MISSED** {problem}" if problem else about[0]
    said = re.sub(r"/\S*/", "", said.replace("|", "/"))
    return f"| {fault.name} | {', '.join(hit)} | {verdicts} | {said[:300]} |"
