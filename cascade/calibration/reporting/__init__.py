"""The report: one page that a manager and a statistician can both read, and its parts.

What is shown is gathered into a `View` (`gather`, `sentences`, `cases`, `method`, `limits`,
`promise`), drawn (`drawn`, `svg`) and written (`page`, `summary`). `cascade.calibration.reporting`
estimates nothing: numbers come from comparisons and certificates.
"""
