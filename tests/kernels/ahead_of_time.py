"""Compile a Triton kernel for a chip that is not here, and read what it takes of that chip.

Needs no GPU: Triton's compiler and NVIDIA's assembler come with the package. Knows no kernel.
"""

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

WARP = 32


class Footprint(NamedTuple):
    """What a compiled kernel takes."""

    shared_bytes: int
    stack_bytes: int  # not zero where registers are spilled
    registers: int  # of one thread
    ttgir: str


def compile_for(
    chip: int,
    kernel: Any,
    arguments: dict[str, str],
    constants: dict[str, Any],
    num_warps: int,
    num_stages: int = 3,
) -> Footprint:
    """Compile a `triton.jit` function.

    Args:
        chip: compute capability times ten, such as 90.
        kernel: the function.
        arguments: Triton's type of each argument that is no constant, in order; pointers and
            strides are taken to be multiples of 16, as they are for the model's sizes.
        constants: the values of its constants.
        num_warps: warps a program.
        num_stages: of the software pipeline.
    """
    signature = {name: arguments.get(name, "constexpr") for name in kernel.arg_names}
    aligned = {
        (i,): [["tt.divisibility", 16]]
        for i, name in enumerate(kernel.arg_names)
        if name.endswith(("_ptr", "_stride"))
    }
    compiled = triton.compile(
        ASTSource(kernel, signature, constexprs=constants, attrs=aligned),
        target=GPUTarget("cuda", chip, WARP),
        options={"num_warps": num_warps, "num_stages": num_stages},
    )
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
        command = [str(tool), "--dump-resource-usage", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    usage = {name: int(value) for name, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", text)}
    return Footprint(
        compiled.metadata.shared, usage["STACK"] + usage["LOCAL"], usage["REG"],
        compiled.asm["ttgir"],
    )  # fmt: skip
