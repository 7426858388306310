"""Pictures and pages: what a run found, for eyes and for machines."""
