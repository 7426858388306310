"""The only place that opens files: exposures in, products out."""
