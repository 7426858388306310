"""Statistics of stars and of the sky around them: apertures, rings, profiles, neighbors. Arrays in, arrays out."""
