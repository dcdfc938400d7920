"""Everything that makes the embedded model: corpus, tokenizer, packed examples, training.

Never imported by the language server or the engine; it may import the engine's pure modules.
"""

import infill_engine as infill_engine  # first: sets how idle threads wait, before torch loads
