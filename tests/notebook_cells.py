"""The notebook "Drizzling WFPC2 Images to use a Single Zeropoint", cell by cell, written from the facts of its calls.

Only the imports differ from what its readers run: mizzle's modules in place of drizzlepac's, stwcs's and stsci's.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess

import numpy as np
from astropy.io import fits
from PIL import Image

from mizzle.drizzlepac import astrodrizzle, photeq, tweakreg
from mizzle.drizzlepac.wfpc2Data import WFPC2_GAINS
from mizzle.stwcs import updatewcs
from mizzle.stwcs.wcsutil import HSTWCS


def download(observations) -> None:
    shutil.rmtree("mastDownload", ignore_errors=True)
    table = observations.query_criteria(obs_id="ua0605*", filters="F814W", obstype="ALL")
    products = observations.get_product_list(table)
    observations.download_products(
        products, mrp_only=False, productSubGroupDescription=["C0M", "C1M"], extension="fits"
    )
    for name in glob.glob("mastDownload/HST/ua*/ua*c?m.fits"):
        here = os.path.basename(name)
        if os.path.isfile(here):
            os.remove(here)
        shutil.move(name, ".")
    shutil.rmtree("mastDownload")


def references(server: str, edition: int) -> None:
    os.environ["CRDS_SERVER_URL"] = server
    os.environ["CRDS_PATH"] = os.path.abspath("./reference_files")
    command = "crds bestrefs --files ua0605*_c0m.fits --sync-references=1 --update-bestrefs"
    if edition == 2018:
        subprocess.check_output(command, shell=True, stderr=subprocess.DEVNULL)
    else:
        os.system(command)
    os.environ["uref"] = os.path.join(os.environ["CRDS_PATH"], "references", "hst", "wfpc2") + os.path.sep  # noqa: SIM112


def prepare() -> None:
    updatewcs.updatewcs("ua*c0m.fits", use_db=True)
    original = sorted(glob.glob("ua*c0m.fits"))[0]  # the notebook does not sort
    if os.path.isfile("simulation.fits"):
        os.remove("simulation.fits")
    shutil.copy(original, "simulation.fits")


def align() -> None:
    tweakreg.TweakReg(
        "ua*c0m.fits", updatehdr=True, reusename=True, interactive=False, conv_width=3.0, threshold=300.0,
        peakmin=100, peakmax=10000,
    )  # fmt: skip


def equalize() -> None:
    photeq.photeq(files="ua*_c0m.fits", ref_phot_ext=3, readonly=False)


def drizzle(edition: int):
    more = {"skysub": False} if edition == 2023 else {}
    return astrodrizzle.AstroDrizzle(
        "ua*c0m.fits", preserve=False, driz_sep_bits="8,1024", driz_sep_wcs=True, driz_sep_scale=0.0996,
        combine_type="median", driz_cr_snr="5.5 3.5", driz_cr_scale="2.0 1.5", final_fillval=None,
        final_bits="8,1024", final_wcs=True, final_scale=0.0996, **more,
    )  # fmt: skip


def figure(names, low: float, high: float) -> str:
    """Draw images side by side in gray, the origin below."""
    panels = [np.flipud(np.nan_to_num((fits.getdata(name) - low) / (high - low)).clip(0, 1)) for name in names]
    height = max(panel.shape[0] for panel in panels)
    panels = [np.pad(panel, ((height - panel.shape[0], 0), (0, 0))) for panel in panels]
    Image.fromarray((255 * np.hstack(panels)).astype(np.uint8)).save("figure.png")
    return "figure.png"


def simulate(edition: int) -> None:
    with fits.open("simulation.fits", mode="update") as hdus:
        photflam = [hdus[i].header["PHOTFLAM"] for i in range(1, 5)]
        scales = [HSTWCS(hdus, ext=i).idcscale for i in range(1, 5)]
        gain = hdus[0].header["ATODGAIN"]
        gains = [WFPC2_GAINS[i][gain][0] for i in range(1, 5)]
        reference, side = scales[3], 0.0996
        sky = 10 * photflam[2]
        for i in range(4):
            light = np.random.poisson(  # noqa: NPY002
                gains[i] * (scales[i] / reference) ** 2 / photflam[i] * sky, hdus[i + 1].data.shape
            )
            hdus[i + 1].data[:, :] = light * (gains[3] / gains[i] ** 2) * (reference / side) ** 2
    shutil.copy("simulation.fits", "simulation_eq.fits")
    photeq.photeq(files="simulation_eq.fits", ref_phot_ext=3, readonly=False)
    if edition == 2023:
        source = sorted(glob.glob("ua*c1m.fits"))[-1]
        with fits.open(source) as quality:
            for name in ("simula_c1n.fits", "simulatio_c1q.fits"):
                fits.HDUList([quality[i] for i in range(5)]).writeto(name, overwrite=True)


def drizzle_simulated():
    results = []
    for name, output in (("simulation.fits", "nonequalized.fits"), ("simulation_eq.fits", "equalized.fits")):
        results.append(
            astrodrizzle.AstroDrizzle(
                name, output=output, stepsize=1, preserve=False, restore=False, in_memory=True, context=False,
                build=False, static=False, skysub=False, median=False, blot=False, driz_cr=False,
                final_fillval=None, final_bits="", final_wcs=True, final_scale=0.0996,
            )
        )  # fmt: skip
    return results
