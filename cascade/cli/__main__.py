"""`python -m cascade.cli` is the command `cascade`."""

from cascade.cli import main

main()
