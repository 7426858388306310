"""Whether pixels can be what a detector recorded: their scatter, their extremes, their columns, and what flags say.

Each check is cheap, looks at one chip by itself, and answers with words; none changes a pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Image, Mask
from mizzle.instrument.noise import noise_model
from mizzle.io.readout_checks import jump_words, stripe_words
from mizzle.kernel.pixels import all_finite
from mizzle.model import Chip, Exposure, Finding, Verdict
from mizzle.model.altered import USER_BIT
from mizzle.row_medians import row_medians
from mizzle.settings.noise import NoiseSettings

#: Every so many rows are looked at, in blocks of so many of them and so many columns.
_STEP, _BLOCK = 8, (20, 50)
#: Scatter of neighbors over what read noise and light make: below, no detector did it; above, in the emptiest blocks of
#: an image whose blocks are alike, neither stars nor rays did.
LEAST_SCATTER, MOST_SCATTER, ALIKE = 0.6, 1.35, 1.3
#: Holes: so many sigma below the sky around; so many of the pixels looked at, and so large a share. Hot pixels of the
#: dark frame leave some: 4e-4 of WF4 in the omega Cen exposure, 1.1e-3 with its calibration of 2004.
HOLE_SIGMAS, HOLES, HOLE_SHARE = 10.0, 8, 1.3e-3
#: Equal to the least value: so large a share; to the greatest: so many pixels, all without a flag, this bright [DN].
CLIPPED_SHARE, PILED, BRIGHT = 0.05, 20, 500.0
#: A column stands out by so many times the scatter of columns, and so many DN.
COLUMN_SIGMAS, COLUMN_COUNTS = 8.0, 2.0
#: Columns on each side that it is held against, and whose scatter counts.
_BESIDE, _AROUND = 5, 25
#: Rows are streaked where they differ from their two neighbors by more than this many times what noise explains, and by
#: so many DN: 1.07 times at most in real and simulated exposures without streaks. Three of so many rows are looked at.
STREAK_SIGMAS, STREAK_COUNTS, _TRIPLETS = 2.5, 0.15, 16
#: Without a value: so large a share of a chip.
LOST_SHARE = 0.001
#: Flagged as saturated though not bright: of so many pixels, so large a share; the converter's last step is at 4095.
SATURATED, DARK_SHARE, SATURATED_ELECTRONS = 30, 0.2, 7000.0


def pixel_findings(exposure: Exposure) -> list[Finding]:
    """Return what pixels and flags of an exposure show that no detector records.

    Parameters
    ----------
    exposure : Exposure
        Its pixels as they are going to be used.
    """
    checks: tuple[tuple[str, Callable[[Exposure, str], str], str], ...] = (
        ("fill", _lost, "pixels without a value"),
        ("data quality", _extremes, "clipped"),
        ("data quality", _columns, "columns unlike their neighbors, not flagged"),
        ("noise", _streaks, "rows unlike their neighbors: streaks of the bias, or of the readout"),
    )
    if exposure.camera.quantum:  # as digitized: what follows knows the noise of such pixels
        looks = {name: _blocks(chip) for name, chip in exposure.chips.items()}

        def scatter(exposure: Exposure, name: str) -> str:
            return _scatter(exposure, name, looks[name])

        def holes(exposure: Exposure, name: str) -> str:
            return _holes(exposure, name, looks[name])

        checks = (
            *checks,
            ("noise", scatter, "neighbors scatter otherwise than read noise and light make: counts per second, a gain"
                                " that is not the header's, smoothed, averaged, or noise of another origin"),
            ("sky", jump_words, "the sky jumps at one row over the whole width: a jump of the bias while it was read"),
            ("noise", stripe_words, "odd and even columns differ: one bias level was taken off both"),
            ("data quality", holes, "holes, far below the sky around them: what was subtracted was not there"),
            ("data quality", _unlike_flags, "flagged as saturated, and dark: quality of another exposure, or shifted"),
        )  # fmt: skip
    findings = [_unflagged(exposure)]
    for part, check, words in checks:
        said = {name: text for name in exposure.chips if (text := check(exposure, name))}
        if said:
            listed = "; ".join(f"{name} {text}" for name, text in said.items())
            findings.append(Finding(part, Verdict.WARN, f"{words}: {listed}", tuple(said)))
    return [finding for finding in findings if finding is not None]


def _unflagged(exposure: Exposure) -> Finding | None:
    """Say where not one pixel of a whole exposure is flagged: every detector has defects, WFPC2 a shadow too."""
    if any(finding.part == "data quality" for finding in exposure.findings):
        return None
    whole = all(exposure.camera.is_whole(chip.shape, chip.binning) for chip in exposure.chips.values())
    if not whole or any((chip.dq & ~np.uint16(USER_BIT)).any() for chip in exposure.chips.values()):
        return None
    expected = ", not even the pyramid's shadow: the quality file" if exposure.camera.shaded else ": the data quality"
    text = f"no pixel of any chip is flagged{expected} says nothing"
    return Finding("data quality", Verdict.WARN, text, tuple(exposure.chips))


def _lost(exposure: Exposure, name: str) -> str:
    chip = exposure.chips[name]
    lost = 0 if all_finite(chip.sci) else int(np.count_nonzero(~np.isfinite(chip.sci)))
    return f"{lost}" if lost > LOST_SHARE * chip.sci.size else ""


def _extremes(exposure: Exposure, name: str) -> str:
    """Say where many pixels share the least or the greatest value."""
    chip = exposure.chips[name]
    thinned = chip.sci[::_STEP]
    values = thinned[(chip.dq[::_STEP] == 0) & np.isfinite(thinned)]
    if values.size < 1000 or np.ptp(values) == 0:
        return ""
    least = float(values.min())
    share = float(np.mean(values == least))
    if share > CLIPPED_SHARE:
        return f"below {least:.4g} {exposure.camera.counts} ({100 * share:.0f} % of the pixels have this value)"
    greatest = float(chip.sci.max() if all_finite(chip.sci) else chip.sci[np.isfinite(chip.sci)].max())
    if greatest > BRIGHT:
        piled = int(np.count_nonzero((chip.sci == greatest) & (chip.dq == 0)))
        if piled >= PILED:
            return f"above {greatest:.4g} {exposure.camera.counts} ({piled} pixels have this value, and no flag)"
    return ""


class _Blocks(NamedTuple):
    """Every eighth row of a chip in blocks.

    Parameters
    ----------
    pixels, good : (n, rows, columns) arrays
        Counts, and which of them are good.
    level : (n,) array
        The median of each block's good pixels; NaN where fewer than half are good.
    sixth : (n,) array
        What 16 % of them lie below: a sigma below the median where noise is all.
    """

    pixels: Image
    good: Mask
    level: FloatArray
    sixth: FloatArray


def _blocks(chip: Chip) -> _Blocks:
    """Cut every eighth row of a chip into blocks."""
    tall, wide = _BLOCK
    sci = chip.sci[::_STEP]
    good = (chip.dq[::_STEP] == 0) & np.isfinite(sci)
    ny, nx = sci.shape[0] // tall * tall, sci.shape[1] // wide * wide
    if not ny or not nx:
        nothing = np.zeros(0)
        return _Blocks(np.zeros((0, tall, wide), np.float32), np.zeros((0, tall, wide), np.bool_), nothing, nothing)

    def cut(image: NDArray[Any]) -> NDArray[Any]:
        return image[:ny, :nx].reshape(ny // tall, tall, nx // wide, wide).swapaxes(1, 2).reshape(-1, tall, wide)

    used = cut(good)
    pixels = np.where(used, cut(sci), np.float32(0.0))
    ordered = np.sort(np.where(used, pixels, np.float32(np.inf)).reshape(len(used), tall * wide), axis=1)
    block, count = np.arange(len(used)), used.sum(axis=(1, 2))
    middle = ordered[block, np.maximum(count - 1, 0) // 2].astype(np.float64)
    sixth = ordered[block, (0.16 * count).astype(int)].astype(np.float64)
    return _Blocks(pixels, used, np.where(2 * count > tall * wide, middle, np.nan), sixth)


def _sigma(exposure: Exposure, chip: Chip, level: FloatArray) -> FloatArray:
    """Return what read noise, dark current and light of so many DN make a pixel scatter [DN]."""
    v0, v1 = noise_model(exposure, chip, NoiseSettings()).coefficients()
    return np.asarray(np.sqrt(v0 + v1 * np.fmax(level, 0.0)))


def _scatter(exposure: Exposure, name: str, look: _Blocks) -> str:
    """Hold differences of neighbors in a row against the noise; structure wider than two pixels drops out."""
    chip = exposure.chips[name]
    blocks, good, level = look.pixels, look.good, look.level
    both = good[:, :, 1:] & good[:, :, :-1]
    steps = np.where(both, np.diff(blocks.astype(np.float64), axis=2), 0.0) / np.sqrt(2.0)
    sigma = _sigma(exposure, chip, level)
    width = 3.0 * np.maximum(sigma, 0.0)
    for _ in range(4):
        used = both & (np.abs(steps) <= 3.5 * width[:, None, None])
        count = used.sum(axis=(1, 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            width = np.sqrt(np.where(used, steps**2, 0.0).sum(axis=(1, 2)) / count)
    ratio = (width / sigma)[np.isfinite(width / sigma)]
    if ratio.size < 12:
        return ""
    low, middle, high = (float(value) for value in np.percentile(ratio, (10, 50, 90)))
    if middle < LEAST_SCATTER or (low > MOST_SCATTER and high < ALIKE * low):
        return f"{middle:.3g} times as much"
    return ""


def _holes(exposure: Exposure, name: str, look: _Blocks) -> str:
    chip = exposure.chips[name]
    blocks, good, level = look.pixels, look.good, look.level
    known = np.isfinite(level)
    if not known.any():
        return ""
    # Between the stars of a crowded core it is dark: what scatters below the median is no hole.
    scatter = np.fmax(_sigma(exposure, chip, level[known]), level[known] - look.sixth[known])
    depth = level[known] - HOLE_SIGMAS * scatter
    # One pixel alone was a hot one of the dark frame; holes of stars are wider.
    deep = good[known] & (blocks[known] < depth[:, None, None])
    low = good[known] & (blocks[known] < (0.4 * depth + 0.6 * level[known])[:, None, None])
    beside = np.zeros_like(deep)
    beside[:, :, 1:] |= low[:, :, :-1]
    beside[:, :, :-1] |= low[:, :, 1:]
    holes = int(np.count_nonzero(deep & beside))
    share = holes / max(int(np.count_nonzero(good[known])), 1)
    return f"{100 * share:.2g} %" if holes >= HOLES and share > HOLE_SHARE else ""


def _columns(exposure: Exposure, name: str) -> str:
    """Say which columns stand above or below their neighbors over most of their length."""
    chip = exposure.chips[name]
    sci, good = chip.sci[::2], (chip.dq[::2] == 0) & np.isfinite(chip.sci[::2])
    rows, nx = sci.shape
    if rows < 50 or nx < 8 * _BESIDE:
        return ""
    count = good.sum(axis=0)
    # Along columns that are rows in memory: sorted in half of the time.
    along = np.ascontiguousarray(np.where(good, sci, np.float32(np.finfo(np.float32).max)).T)
    along.sort(axis=1)
    low, middle, high = (
        along[np.arange(nx), (share * np.maximum(count - 1, 0)).astype(int)].astype(np.float64)
        for share in (0.16, 0.5, 0.84)
    )
    used = count > 0.8 * rows
    middle[~used] = np.nan
    padded = np.pad(middle, _BESIDE, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * _BESIDE + 1)
    enough = used & (np.isfinite(around).sum(axis=1) > _BESIDE)
    if np.count_nonzero(enough) < 4 * _BESIDE:
        return ""
    off = middle[enough] - row_medians(around[enough])
    own = 0.5 * (high - low)[enough] / np.sqrt(count[enough])  # a median of stars is good to their scatter
    limit = np.maximum(COLUMN_SIGMAS * np.maximum(1.4826 * _usual(np.abs(off)), 1.25 * own), COLUMN_COUNTS)
    columns = np.flatnonzero(enough)[np.abs(off) > limit]
    if not columns.size:
        return ""
    listed = ", ".join(str(column + 1) for column in columns[:6]) + (", ..." if columns.size > 6 else "")
    return f"{columns.size} ({listed}; {float(np.max(np.abs(off))):.1f} {exposure.camera.counts})"


def _streaks(exposure: Exposure, name: str) -> str:
    """Say how much rows differ from the rows beside them, where noise does not explain it."""
    chip = exposure.chips[name]
    ny, nx = chip.shape
    middle = np.arange(1, ny - 1, _TRIPLETS)
    rows = (middle[:, None] + np.arange(-1, 2)).ravel()
    if middle.size < 10 or nx < 100:
        return ""
    good = (chip.dq[rows, ::2] == 0) & np.isfinite(chip.sci[rows, ::2])
    values = np.where(good, chip.sci[rows, ::2], np.float32(np.finfo(np.float32).max))
    ordered = np.sort(values, axis=1)
    row, count = np.arange(rows.size), good.sum(axis=1)
    enough = count > 50
    level = ordered[row, np.maximum(count - 1, 0) // 2].astype(np.float64)
    scatter = np.fmax(level - ordered[row, (0.16 * count).astype(int)], 0.5)
    level[~enough] = scatter[~enough] = np.nan
    # Whole DN make a median lumpy; the mean of what lies between limits is not, if three rows have the same limits.
    level, scatter = (np.repeat(part.reshape(-1, 3).mean(axis=1), 3) for part in (level, scatter))
    sky = good & (np.abs(values - level[:, None]) < 2.5 * scatter[:, None] + 0.5)
    used = np.maximum(sky.sum(axis=1), 1)
    light = np.where(sky, values - np.nan_to_num(level)[:, None], 0.0)
    mean = light.sum(axis=1) / used
    error = np.sqrt(np.maximum((light**2).sum(axis=1) / used - mean**2, 0.05) / used).reshape(-1, 3)
    mean = np.where(np.isfinite(level), mean, np.nan).reshape(-1, 3)
    off = mean[:, 1] - 0.5 * (mean[:, 0] + mean[:, 2])
    pull = off / np.sqrt(error[:, 1] ** 2 + 0.25 * (error[:, 0] ** 2 + error[:, 2] ** 2))
    known = np.isfinite(pull)
    if np.count_nonzero(known) < 10:
        return ""
    rms, sigmas = (1.4826 * float(np.median(np.abs(part - np.median(part)))) for part in (off[known], pull[known]))
    rms, sigmas = max(rms, float(np.median(np.abs(off[known])))), max(sigmas, float(np.median(np.abs(pull[known]))))
    return f"{rms:.2g} {exposure.camera.counts}" if sigmas > STREAK_SIGMAS and rms > STREAK_COUNTS else ""


def _usual(deviation: FloatArray) -> FloatArray:
    """Return the larger of the median of all deviations and of those around: columns of a crowded core scatter more."""
    padded = np.pad(deviation, _AROUND, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1)
    return np.asarray(np.fmax(row_medians(windows), np.median(deviation)))


def _unlike_flags(exposure: Exposure, name: str) -> str:
    chip = exposure.chips[name]
    full = (chip.dq & exposure.camera.saturated) != 0
    count = int(np.count_nonzero(full))
    if count < SATURATED:
        return ""
    dark = float(np.mean(chip.sci[full] < SATURATED_ELECTRONS / chip.gain))
    return f"{100 * dark:.0f} % of {count} pixels" if dark > DARK_SHARE else ""


def dead_chips(chips: Mapping[str, Chip]) -> list[str]:
    """Return the chips whose pixels are all 0: nothing was read."""
    return [name for name, chip in chips.items() if not chip.sci.any()]
