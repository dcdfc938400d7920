"""The engine as a process: HTTP and server-sent events on the loopback interface.

Read `app` for what is served, `run` for how the process lives and ends, `engine_worker` for the
one thread that touches the model. Knows nothing of LSP, prompts or tensors.
"""
