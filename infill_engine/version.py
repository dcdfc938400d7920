"""Which infill-ls this is: the one place that says so, pyproject.toml reads it from here.

A constant, since asking the installed package costs a language server's start 24 ms.
"""

VERSION = "0.1.0"
