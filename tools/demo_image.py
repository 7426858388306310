"""Make the README's picture from a demonstration: ``python tools/demo_image.py OUT/demo.png docs/images/demo.png``."""

from __future__ import annotations

import sys
from pathlib import Path

#: Width on the page [pixel], and gray levels and accents kept.
WIDTH = 900
COLORS = 128


def shrink(source: str | Path, target: str | Path) -> int:
    """Average a picture down to `WIDTH` and give it a palette; return its size in bytes."""
    from PIL import Image

    with Image.open(source) as picture:
        height = round(picture.height * WIDTH / picture.width)
        small = picture.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    small.quantize(COLORS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        target, format="png", optimize=True
    )
    return Path(target).stat().st_size


if __name__ == "__main__":
    size = shrink(sys.argv[1], sys.argv[2])
    sys.stdout.write(f"{sys.argv[2]}: {size / 1000:.0f} kB\n")
