"""One team, many engines: engines served by Ray Serve, behind a gateway safe on a network.

Read `gateway/app` for what a client meets, `routing` for which replica a document goes to,
`deployments/` for what runs inside Ray. Knows nothing of LSP, editors or tensors.
"""
