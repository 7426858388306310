"""MAST, CRDS, the astrometry database and Gaia: everything that touches the network.

Nothing here runs unless the command is ``fetch`` or ``references``, or a setting of the section ``archive`` (or
``align.catalog = "gaia"``) asks for it. Every wait has a limit, every file is checked before it gets its name.
"""
