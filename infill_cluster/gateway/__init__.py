"""What clients meet: TLS, tokens, limits, the audit line; behind it engines elsewhere.

Read `app` for what is served, `infill` for the way of one request, `listener` for connections.
Knows nothing of Ray: who answers is behind `replicas.Replicas`.
"""
