"""Facts about cameras, each with its source."""
