"""Writing a product: the image stays as it is, at every moment."""

import contextlib
import io

import numpy as np
from astropy.io import fits

from combine_tools import blank_stack, drizzled
from mizzle.io import products
from mizzle.model import Zeropoint


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
    for array in (mosaic.sci, mosaic.err, mosaic.wht, mosaic.ctx):
        array.flags.writeable = True
    stream = Watching([mosaic.sci, mosaic.err, mosaic.wht, mosaic.ctx])
    monkeypatch.setattr(products, "whole_file", lambda path: contextlib.nullcontext(stream))
    proof = Zeropoint(mosaic.reference, {})
    products.write_mosaic("unused.fits", mosaic, exposures, proof)
    assert stream.looks > 4
    with fits.open(io.BytesIO(stream.getvalue())) as hdus:
        np.testing.assert_array_equal(hdus["SCI"].data, mosaic.sci)
        np.testing.assert_array_equal(hdus["CTX"].data, mosaic.ctx)
