"""Messages as Ray Serve 2.60 writes them, shortened to what a person needs."""

from infill_cluster.serve_message import essence_of

STACK = """Error:
ray::ServeReplica:infill-gateway:GatewayReplica.initialize_and_get_metadata() (pid=1, ip=10.0.0.1)
  File "replica.py", line 1928, in initialize
RuntimeError: Traceback (most recent call last):
  File "gateway_replica.py", line 51, in __init__
infill_engine.api.ConfigError: Port 8555 on 0.0.0.0 is taken. Set another gateway.port.
"""


def test_what_a_replica_said_is_all_that_is_left() -> None:
    assert essence_of(f"Deploying failed 3 times. {STACK}") == (
        "Port 8555 on 0.0.0.0 is taken. Set another gateway.port."
    )


def test_that_the_old_ones_go_on_is_told() -> None:
    why = f"The update is stopped and replicas of the previous version keep running. {STACK}"
    assert essence_of(why).endswith("What ran before goes on until the next deploy.")


def test_a_message_without_a_stack_stays_as_it_is() -> None:
    assert essence_of("A replica's health check failed.") == "A replica's health check failed."
