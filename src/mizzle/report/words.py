"""The verdict in words: sentences built from the report's numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mizzle.report.chips import unit

_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
#: Findings of one part that its sentence holds; all stand below it on the page.
_SAID = 6


def number(n: int) -> str:
    """Write a small count as a word.

    Examples
    --------
    >>> number(6), number(13)
    ('six', '13')
    """
    return _SMALL[n] if 0 <= n < len(_SMALL) else str(n)


def plural(n: int, noun: str) -> str:
    """Write a count with its noun.

    Examples
    --------
    >>> plural(1, "exposure"), plural(6, "exposure")
    ('one exposure', 'six exposures')
    """
    return f"{number(n)} {noun}{'' if n == 1 else 's'}"


def listing(words: list[str]) -> str:
    """Join words as a sentence does.

    Examples
    --------
    >>> listing(["PC", "WF2", "WF4"])
    'PC, WF2 and WF4'
    """
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1] if words else "none"


def verdict_sentences(report: Mapping[str, Any]) -> list[dict[str, str]]:
    """Say what the run found, one sentence per part.

    Parameters
    ----------
    report : mapping
        From `metrics.build_report`; JSON-safe.

    Returns
    -------
    sentences : list of dict
        ``part``, ``verdict``, ``text``.
    """
    sentences = [_about_inputs(report), _about_alignment(report["alignment"])]
    several = len(report["zeropoints"]) > 1
    for band, zeropoint in report["zeropoints"].items():
        sentences.append(_about_zeropoint(zeropoint, f"{band}: " if several else ""))
    sentences += [_about_errors(report), _about_sky(report), _about_cosmic_rays(report)]
    named = {sentence["part"] for sentence in sentences}
    others = dict.fromkeys(f["part"] for f in report["findings"] if f["part"] not in named)
    sentences += [{"part": part, "verdict": report["parts"].get(part, "WARN"), "text": ""} for part in others]
    return [_with_findings(sentence, report) for sentence in sentences]


def not_passed(report: Mapping[str, Any]) -> list[str]:
    """Say why a verdict is not ``PASS``: what counts against it, what fails first, then what could not be proven.

    Parameters
    ----------
    report : mapping
        From `metrics.build_report`.

    Returns
    -------
    lines : list of str
        Each begins with a verdict and a part: ``WARN sky: ...``.
    """
    against = [f"{reason['verdict']} {reason['part']}: {reason['sentence']}" for reason in report.get("reasons", ())]
    unproven = [
        f"NONE {sentence['part']}: {sentence['text'].rstrip('.')}"
        for sentence in report.get("sentences", ())
        if sentence["verdict"] == "NONE" and report["parts"].get(sentence["part"]) == "NONE"
    ]
    return [*against, *unproven]


def _with_findings(sentence: dict[str, str], report: Mapping[str, Any]) -> dict[str, str]:
    """Add to a part's sentence what was found remarkable about it; the worse verdict counts."""
    about = [f for f in report["findings"] if f["part"] == sentence["part"]]
    if sentence["part"] == "zeropoint" and len(report["zeropoints"]) > 1:  # each filter has its own
        band = sentence["text"].split(":", 1)[0]
        about = report["zeropoints"].get(band, {}).get("findings", [])
        return {**sentence, "text": " ".join([sentence["text"], *(f"{f['sentence']}." for f in about)])}
    if sentence["part"] == "inputs":
        about = [f for f in report.get("reasons", []) if f["part"] == "inputs"]
    texts = [f"{_begun(f['sentence'])}." for f in about[:_SAID]]
    texts += [f"{plural(len(about) - _SAID, 'more remark')} below."] if len(about) > _SAID else []
    verdict = report["parts"].get(sentence["part"], sentence["verdict"])
    return {**sentence, "verdict": verdict, "text": " ".join([sentence["text"], *texts]).strip()}


def _begun(text: str) -> str:
    """Begin a sentence with a capital, but for the name of an exposure, which has digits."""
    lead = text.split(" ", 1)[0]
    return text if any(letter.isdigit() for letter in lead) else f"{text[:1].upper()}{text[1:]}"


def _about_errors(report: Mapping[str, Any]) -> dict[str, str]:
    ratios = {
        (band, chip): measured["ratio"]
        for band, proof in report["errors"].items()
        for chip, measured in proof["chips"].items()
        if measured["verdict"] != "NONE"
    }
    if not ratios:
        text = "No two exposures see the same blank sky: the errors of pixels could not be proven."
        return {"part": "errors", "verdict": "NONE", "text": text}
    (band, chip), ratio = max(ratios.items(), key=lambda entry: abs(entry[1] - 1))
    text = f"Blank sky scatters between exposures {ratio:.3f} times as much as the errors say (farthest from 1: {chip}"
    text += f", {band})." if len(report["errors"]) > 1 else ")."
    return {"part": "errors", "verdict": report["parts"].get("errors", "NONE"), "text": text}


def _about_sky(report: Mapping[str, Any]) -> dict[str, str]:
    levels = [b for e in report["sky"]["exposures"].values() for c in e.values() if (b := c["brightness"]) is not None]
    if not levels:
        return {"part": "sky", "verdict": "NONE", "text": "No sky was measured."}
    text = f"The sky lies between {min(levels):.3g} and {max(levels):.3g} {unit(report)}/s per square arcsec."
    return {"part": "sky", "verdict": "PASS", "text": text}


def _about_inputs(report: Mapping[str, Any]) -> dict[str, str]:
    rows, dropped = report["inputs"], report["dropped"]
    bands = list(report["products"])
    seconds = sum(p["exptime"] or 0.0 for p in report["products"].values())
    became = "one image" if len(bands) == 1 else f"{number(len(bands))} images on one grid"
    text = f"{plural(len(rows), 'exposure').capitalize()} in {listing(bands)}, {seconds:.0f} s in all, became {became}."
    if not bands:
        text = f"{plural(len(rows), 'exposure').capitalize()}; the run was to stop before an image is made."
    if dropped:
        names = [name.replace("\\", "/").rsplit("/", 1)[-1] for name in dropped]
        text += f" Left out: {plural(len(dropped), 'file')} ({', '.join(names)})."
    return {"part": "inputs", "verdict": "WARN" if dropped else "PASS", "text": text}


def _about_alignment(alignment: Mapping[str, Any]) -> dict[str, str]:
    entries, verdict = alignment["exposures"], alignment["verdict"]
    if len(entries) < 2 and verdict == "NONE":
        text = "A single exposure: there is nothing to align it with."
    elif alignment["method"] == "header":
        text = "The headers' pointings were trusted, as asked: no stars were matched."
    else:
        rms = [e["rms_mas"] for e in entries.values() if e["rms_mas"] is not None]
        failed = [root for root, e in entries.items() if e["verdict"] == "FAIL"]
        placed = {root: e for root, e in entries.items() if root not in failed and e.get("method", "stars") != "stars"}
        doubt = [root for root, e in entries.items() if e["verdict"] == "WARN" and root not in placed]
        matched = [e["n_matched"] for e in entries.values() if e["n_matched"]]
        every = "Both" if len(entries) == 2 else f"All {number(len(entries))}"
        good = len(entries) - len(failed) - len(placed)
        all_or = every if good == len(entries) else f"{good} of {len(entries)}"
        text = f"{all_or} exposures are aligned on stars" if good else "No exposure is aligned on stars"
        text += f", residuals {_span(f'{value:.1f}' for value in sorted(rms))} mas per axis" if rms else ""
        text += f", from {_span(map(str, sorted(matched)))} matches each." if matched else "."
        text += f" Not aligned: {listing(failed)}." if failed else ""
        text += "".join(f" {root}: {e['note']}." for root, e in placed.items()) if len(placed) <= 4 else ""
        text += f" Without stars of their own: {listing(list(placed))}." if len(placed) > 4 else ""
        text += f" Look at {listing(doubt)}." if doubt else ""
    return {"part": "alignment", "verdict": verdict, "text": text + _about_position(alignment)}


def _span(rising: Iterable[str]) -> str:
    """Say from where to where numbers go, or the one that they all read."""
    written = list(rising)
    return written[0] if written[0] == written[-1] else f"{written[0]} to {written[-1]}"


def _about_position(alignment: Mapping[str, Any]) -> str:
    """Say how well the place on the sky is known, which exposures tell nothing about; nothing in older reports."""
    position = alignment.get("position")
    if not position or position["checked"]:
        return f" The place on the sky is that of {alignment['reference']}." if position else ""
    return (
        f" The place on the sky was not checked: it is that of the headers ({position['origin']}), good to"
        f" {position['error']:g} arcsec as a rule; align.catalog would prove it."
    )


def _about_zeropoint(zeropoint: Mapping[str, Any], lead: str) -> dict[str, str]:
    proof, verdict = zeropoint["proof"], zeropoint["verdict"]
    judged = {c: p for c, p in proof.items() if p["verdict"] != "NONE" and p["ratio"] is not None}
    second = _about_exposures(zeropoint.get("exposures", {}))
    if len(proof) == 1:
        text = second or "One PHOTFLAM everywhere, but no other chip or exposure to prove it with."
        return {"part": "zeropoint", "verdict": verdict, "text": lead + text.strip()}
    if not judged:
        text = "One PHOTFLAM everywhere, but it could not be proven"
        notes = [note for note in zeropoint.get("notes", []) if "would prove" in note]
        text += f": {'; '.join(notes)}." if notes else ": no chip has enough stars seen on another."
        return {"part": "zeropoint", "verdict": verdict, "text": lead + text + second}
    farthest = max(judged, key=lambda c: abs(judged[c]["ratio"] - 1))
    p = judged[farthest]
    others = [c for c in judged if c != zeropoint["reference"]] or list(judged)
    text = (
        f"Stars seen on {zeropoint['reference']} and again on {listing(others)} have the same flux to within"
        f" {100 * abs(p['ratio'] - 1):.1f} ± {100 * (p['error'] or 0):.1f} % (farthest: {farthest})."
    )
    failed = [c for c, v in judged.items() if v["verdict"] == "FAIL"]
    silent = [c for c in proof if c not in judged]
    text += f" The zeropoint does not hold on {listing(failed)}." if failed else ""
    text += f" {listing(silent)} could not be judged." if silent else ""
    return {"part": "zeropoint", "verdict": verdict, "text": lead + text + second}


def _about_exposures(proof: Mapping[str, Any]) -> str:
    """Say what stars tell of exposure against exposure; nothing where they tell nothing."""
    judged = {r: p for r, p in proof.items() if p["verdict"] != "NONE" and p["ratio"] is not None}
    if len(judged) < 2:
        return ""
    farthest = max(judged, key=lambda r: (abs(judged[r]["ratio"] - 1), judged[r]["error"] or 0))
    p = judged[farthest]
    text = (
        f" On {len(judged)} exposures the same stars have the same flux to within {100 * abs(p['ratio'] - 1):.1f} ±"
        f" {100 * (p['error'] or 0):.1f} % (farthest: {farthest})."
    )
    failed = [r for r, v in judged.items() if v["verdict"] == "FAIL"]
    return text + (f" The zeropoint does not hold on {listing(failed)}." if failed else "")


def _about_cosmic_rays(report: Mapping[str, Any]) -> dict[str, str]:
    shares = [f for chips in report["cosmic_rays"].values() for f in chips.values() if f is not None]
    expected = [e["fraction"] for e in report["cosmic_rays_expected"].values()]
    if not shares or not expected:
        return {"part": "cosmic rays", "verdict": "NONE", "text": "No search for cosmic rays was made."}
    mean, wanted = sum(shares) / len(shares), sum(expected) / len(expected)
    text = f"Cosmic rays took {100 * mean:.2f} % of the good pixels"
    text += f"; about {100 * wanted:.2f} % were expected."
    return {"part": "cosmic rays", "verdict": "PASS", "text": text}
