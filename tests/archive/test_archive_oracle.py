"""The local server speaks so that the incumbent's own clients understand it, and their headerlets pass our checks."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess

import pytest

from mizzle.archive.astrometry import check_headerlet, fetch_headerlets, find_solutions

ROOT = "u40x010hm"

_MAKE = """
import sys
from astropy.io import fits
name, reference = sys.argv[1:]
with fits.open(name, mode="update") as units:
    units[0].header["IDCTAB"] = reference + "/sad1946fu_idc.fits"
    units[0].header["OFFTAB"] = reference + "/s9518396u_off.fits"
    units[0].header["DGEOFILE"] = "N/A"
from stwcs.updatewcs import updatewcs
updatewcs(name, use_db=False)
from stwcs.wcsutil import headerlet
headerlet.create_headerlet(name, hdrname="u40x010hm_test").writeto("made_hlet.fits")
"""

_ASK = """
import json, sys
from stwcs.updatewcs.astrometry_utils import AstrometryDB
database = AstrometryDB(url=sys.argv[1] + "/", raise_errors=True)
headerlets, best = database.getObservation("u40x010hm")
names = [headerlets[key][0].header["WCSNAME"] for key in sorted(headerlets)]
print("ANSWER", json.dumps([names, best]))
"""


@pytest.mark.oracle
@pytest.mark.data
def test_the_incumbent_and_we_find_the_same_solution(service, settings, data_dir, oracle_python, tmp_path):
    packed = (data_dir / "exposures" / f"{ROOT}_c0m.fits.gz").read_bytes()
    (tmp_path / f"{ROOT}_c0m.fits").write_bytes(gzip.decompress(packed))
    words = [oracle_python, "-c", _MAKE, f"{ROOT}_c0m.fits", str(data_dir / "reference")]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, timeout=1800)
    content = (tmp_path / "made_hlet.fits").read_bytes()
    check_headerlet(content, ROOT, "made_hlet.fits")

    service.solutions[ROOT] = {"OPUS": content, "IDC_sad1946fu": content}
    done = subprocess.run(
        [oracle_python, "-c", _ASK, service.url], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=1800
    )
    (answer,) = [line for line in done.stdout.splitlines() if line.startswith("ANSWER")]
    names, best = json.loads(answer.removeprefix("ANSWER"))
    assert names == ["IDC_sad1946fu", "IDC_sad1946fu"]
    assert best == find_solutions(ROOT, settings).best == "IDC_sad1946fu"

    found = fetch_headerlets([ROOT], "sad1946fu", tmp_path / "refs", settings=settings)
    assert found[ROOT].read_bytes() == content


def test_the_crds_client_understands_the_server(service, monkeypatch, tmp_path):
    """Its calls, its checksums and its folder, so that the answers we are tested with are the real ones."""
    pytest.importorskip("crds", exc_type=ImportError)
    monkeypatch.setenv("CRDS_PATH", str(tmp_path))
    monkeypatch.setenv("CRDS_OBSERVATORY", "hst")
    from crds.client import api

    monkeypatch.setattr(api.log, "warning", lambda *_: None)  # it wants https
    api.set_crds_server(service.url)
    header = {"INSTRUME": "WFPC2", "DATE-OBS": "2007-10-04", "TIME-OBS": "11:30:14", "MODE": "FULL"}
    types = ["idctab", "offtab", "dgeofile"]
    for encoded in (False, True):
        service.encoded = encoded
        assert api.S.get_default_context("hst", None) == "hst_0250.pmap"
        best = api.get_best_references("hst_0250.pmap", header, types)
        assert best["idctab"] == "ta81040lu_idc.fits"
        facts = api.S.get_file_info_map("hst", ["ta81040lu_idc.fits"], ["sha1sum", "size"])["ta81040lu_idc.fits"]
        assert facts["sha1sum"] == hashlib.sha1(service.references["ta81040lu_idc.fits"]).hexdigest()
    with pytest.raises(api.ServiceError, match="AttributeError: <"):
        api.S.get_nothing()
