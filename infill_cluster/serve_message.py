"""What Ray Serve has to say of a deployment, without the processes and frames that it quotes.

Knows nothing of Ray but how its messages look.
"""

import re

_TRACEBACK_SIGN = "Traceback (most recent call last)"
_OLD_ONES_RUN = "previous version keep running"


def essence_of(why: str) -> str:
    """Return the sentence that ends the innermost traceback; a message without one as it is."""
    head, sign, stack = why.partition(_TRACEBACK_SIGN)
    if not sign:
        return why
    lines = [line for line in stack.splitlines() if line.strip()]
    # "infill_engine.api.ConfigError: what is wrong"
    message = re.sub(r"^[\w.]+: ", "", lines[-1]) if lines else ""
    goes_on = _OLD_ONES_RUN in head
    return f"{message} What ran before goes on until the next deploy." if goes_on else message
