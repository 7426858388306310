"""Runs in the oracle's interpreter: drizzle or blot the cases of one .npz file, and write the answers to another."""

from __future__ import annotations

import sys

import numpy as np
from drizzle.resample import Drizzle, blot_image


def main(source: str, target: str) -> None:
    with np.load(source) as data:
        given = dict(data)
    answers = {}
    for name in sorted({key.split("/")[0] for key in given}):
        case = {key.split("/")[1]: value for key, value in given.items() if key.startswith(f"{name}/")}
        if "interp" in case:
            answers[f"{name}/value"] = blot_image(
                case["image"].astype(np.float32), case["pixmap"], fillval=np.nan, interp=str(case["interp"])
            )
            continue
        driz = Drizzle(kernel=str(case["kernel"]), fillval="NaN", out_shape=tuple(case["shape"]), disable_ctx=True)
        driz.add_image(
            case["sci"].astype(np.float32),
            exptime=1.0,
            pixmap=case["pixmap"],
            weight_map=case["weight"].astype(np.float32),
            pixfrac=float(case["pixfrac"]),
            pixel_scale_ratio=float(case["ratio"]),
            in_units="cps",
        )
        answers[f"{name}/mean"], answers[f"{name}/weight"] = driz.out_img, driz.out_wht
    np.savez(target, **answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
