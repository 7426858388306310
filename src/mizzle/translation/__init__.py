"""What the translated calls of drizzlepac, stwcs and skypac share: their parameters, their lists of files, their logs.

Scripts written for those packages change an import and run on mizzle: every call becomes settings and steps of mizzle,
and files named as those scripts expect. Nothing is computed here a second time.
"""
