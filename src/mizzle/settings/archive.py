"""Where exposures and reference files are fetched from."""

from __future__ import annotations

from typing import Literal

from mizzle.settings.base import Section, setting

_ADDRESS = r"^https?://[^\s/?#]+[^\s?#]*$"


class ArchiveSettings(Section):
    """Where exposures and reference files are fetched from, and how long anybody waits for it."""

    client: Literal["direct", "astroquery"] = setting(
        "direct",
        "Who asks MAST which files there are: mizzle itself, through the documented web service. The other word is"
        " taken from older settings files, and means the same.",
    )
    mast_url: str = setting("https://mast.stsci.edu", "Address of MAST.", pattern=_ADDRESS)
    cloud: bool = setting(False, "Take exposures from the public cloud copy, and from MAST what is not there.")
    cloud_url: str = setting(
        "https://stpubdata.s3.us-east-1.amazonaws.com", "Address of the public cloud copy.", pattern=_ADDRESS
    )
    references: Literal["embedded", "best"] = setting(
        "embedded",
        "Distortion tables of a run: those inside mizzle, or the best ones that CRDS names (network).",
    )
    cache: str = setting(
        "references",
        "Folder of fetched reference files; a relative name lies in the output folder.",
        min_length=1,
    )
    crds_url: str = setting("https://hst-crds.stsci.edu", "Address of the CRDS server of HST.", pattern=_ADDRESS)
    crds_context: str = setting(
        "",
        "CRDS context that chooses reference files, as hst_1234.pmap; empty asks the server for its latest.",
        pattern=r"^$|^hst(_[0-9a-z-]+)?\.pmap$",
    )
    astrometry: bool = setting(False, "Ask the HST astrometry database for a better WCS of each exposure (network).")
    astrometry_url: str = setting(
        "https://mast.stsci.edu/portal/astrometryDB", "Address of the astrometry database.", pattern=_ADDRESS
    )
    astrometry_solution: str = setting(
        "best",
        "WCSNAME of the solution to take from the astrometry database, or `best` for the one it prefers.",
    )
    gaia_url: str = setting(
        "https://gea.esac.esa.int/tap-server/tap",
        "Address of the TAP service that holds Gaia.",
        pattern=_ADDRESS,
    )
    gaia_table: str = setting("gaiadr3.gaia_source", "Table of the TAP service.", pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$")
    gaia_rows: int = setting(2000, "Most stars asked for, the brightest first.", ge=10, le=100_000)
    connect_timeout: float = setting(
        4.0,
        "Longest wait for a connection, name look-up included; then the service is offline.",
        unit="s",
        gt=0,
        le=30,
    )
    timeout: float = setting(
        60.0, "Longest wait for an answer, and longest silence in a transfer.", unit="s", gt=0, le=3600
    )
    slowest: float = setting(
        1000.0,
        "A transfer slower than this, averaged over archive.timeout, is given up.",
        unit="byte/s",
        ge=0,
        le=1e9,
    )
    retries: int = setting(2, "How often a broken transfer is taken up again where it broke.", ge=0, le=10)
