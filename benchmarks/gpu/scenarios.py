"""Which canvases are denoised: lengths, prefixes, steps, batches and routers. Holds sizes only."""

from typing import Literal, NamedTuple

from benchmarks.gpu.scale import Scale

MAIN = "main"
KEYSTROKE = "keystroke"

Router = Literal["even", "skewed"]


class Scenario(NamedTuple):
    """One way to use the model."""

    name: str
    num_canvas: int
    num_prefix: int
    num_steps: int
    batch: int = 1
    router: Router = "even"
    num_typed: int = 0  # tokens prefilled behind the prefix, within the time


def scenarios(scale: Scale) -> list[Scenario]:
    """The most important first, as time may run out."""
    canvas, prefix = scale.config.canvas_length, scale.main_prefix
    few, many = scale.step_counts[0], scale.step_counts[-1]
    found = [
        Scenario(MAIN, canvas, prefix, many),
        Scenario(KEYSTROKE, scale.small_canvases[0], prefix, few, num_typed=scale.num_typed),
        Scenario(f"{few} steps", canvas, prefix, few),
    ]
    for other in scale.prefixes:
        for num_steps in (many, few):
            if other != prefix:
                name = f"prefix {other}, {num_steps} steps"
                found.append(Scenario(name, canvas, other, num_steps))
    found += [Scenario(f"canvas {size}", size, prefix, few) for size in scale.small_canvases]
    found += [Scenario(f"batch {size}", canvas, prefix, few, size) for size in scale.batches]
    found.append(Scenario("skewed router", canvas, prefix, few, router="skewed"))
    return found
