"""What the two applications and their parts are called inside Ray Serve."""

ENGINE_APPLICATION = "infill-engine"
ENGINE_DEPLOYMENT = "EngineReplica"
GATEWAY_APPLICATION = "infill-gateway"
GATEWAY_DEPLOYMENT = "GatewayReplica"
