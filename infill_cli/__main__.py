"""`python -m infill_cli`: the same as `infill-ls`. Knows nothing but that."""

from infill_cli.main import main

main()
