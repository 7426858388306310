"""Where pixels lie on the sky: distortion, frames, the product grid, and the map between them."""
