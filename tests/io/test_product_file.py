"""Writing a product: the image stays as it is, at every moment."""

import contextlib
import dataclasses
import io

import numpy as np
import pytest
from astropy.io import fits

from combine_tools import blank_stack, drizzled
from mizzle.io import products
from mizzle.model import Context, Zeropoint


class Watching(io.BytesIO):
    """A stream that looks at arrays whenever something is written to it."""

    def __init__(self, arrays):
        super().__init__()
        self._arrays = arrays
        self._as_made = [array.copy() for array in arrays]
        self.looks = 0

    def write(self, data):
        self.looks += 1
        for array, as_made in zip(self._arrays, self._as_made, strict=True):
            np.testing.assert_array_equal(array, as_made)
        return super().write(data)


def test_the_image_is_not_touched_while_it_is_written(monkeypatch):
    """A page is drawn from the same arrays at the same time: their bytes may not be turned around for a moment."""
    exposures = blank_stack("WF3", (40, 44))
    mosaic = drizzled(exposures)
    arrays = [mosaic.sci, mosaic.err, mosaic.wht, *(plane.values for plane in mosaic.context.planes)]
    for array in arrays:
        array.flags.writeable = True
    stream = Watching(arrays)
    monkeypatch.setattr(products, "whole_file", lambda path: contextlib.nullcontext(stream))
    proof = Zeropoint(mosaic.reference, {})
    products.write_mosaic("unused.fits", mosaic, exposures, zeropoint=proof)
    assert stream.looks > 4
    with fits.open(io.BytesIO(stream.getvalue())) as hdus:
        np.testing.assert_array_equal(hdus["SCI"].data, mosaic.sci)
        np.testing.assert_array_equal(hdus["CTX"].data, mosaic.ctx)


@pytest.mark.parametrize("planes", [1, 3])
def test_pieces_make_the_file_that_astropy_makes(planes, monkeypatch):
    exposures = blank_stack("WF3", (40, 44))
    mosaic = drizzled(exposures)
    if planes > 1:
        mosaic = dataclasses.replace(mosaic, context=Context.of(np.stack([mosaic.ctx] * planes)))
    monkeypatch.setattr(products, "_PIECE", 100)
    stream = io.BytesIO()
    monkeypatch.setattr(products, "whole_file", lambda path: contextlib.nullcontext(stream))
    products.write_mosaic("unused.fits", mosaic, exposures, zeropoint=Zeropoint(mosaic.reference, {}))
    again = io.BytesIO()
    with fits.open(io.BytesIO(stream.getvalue())) as hdus:
        hdus.verify("exception")
        made = [fits.PrimaryHDU(header=hdus[0].header)]
        made += [fits.ImageHDU(hdu.data, hdu.header) for hdu in hdus[1:5]]
        fits.HDUList([*made, fits.BinTableHDU(hdus[5].data, hdus[5].header)]).writeto(again)
    assert again.getvalue() == stream.getvalue()


@pytest.mark.parametrize(
    ("compress", "packed"), [("none", ()), ("context", ("CTX",)), ("all", ("SCI", "ERR", "WHT", "CTX"))]
)
def test_compression_gives_back_every_bit(compress, packed, tmp_path):
    exposures = blank_stack("WF3", (40, 44))
    mosaic = drizzled(exposures)
    path = products.write_mosaic(
        tmp_path / "a.fits", mosaic, exposures, zeropoint=Zeropoint(mosaic.reference, {}), compress=compress
    )
    with fits.open(path) as hdus, fits.open(path, disable_image_compression=True) as raw:
        hdus.verify("exception")
        assert {hdu.name for hdu in raw if "ZIMAGE" in hdu.header} == set(packed)
        for name, array in (("SCI", mosaic.sci), ("ERR", mosaic.err), ("WHT", mosaic.wht), ("CTX", mosaic.ctx)):
            assert hdus[name, 1].data.astype(array.dtype).tobytes() == array.tobytes(), name
            assert hdus[name].header["CTYPE1"] == "RA---TAN"
