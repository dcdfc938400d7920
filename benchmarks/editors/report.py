"""What a benchmark of one editor tells, the same for all editors. Knows no editor."""

from dataclasses import dataclass, field
from typing import Any

from benchmarks.distribution import Distribution
from benchmarks.editors.painted import Faults, Latencies


@dataclass(slots=True)
class EditorReport:
    """One editor's numbers.

    Attributes:
        editor: name and version.
        num_keystrokes: of the recorded session; the faults are counted over them.
        num_frames: painted meanwhile.
        latencies: keys to paint, engine ready.
        cold: milliseconds from the first key, no engine running, to the first ghost text.
        faults: of the recorded session and of the typing on of what is shown.
        facts: more numbers, of this editor only.
    """

    editor: str
    num_keystrokes: int = 0
    num_frames: int = 0
    latencies: Latencies = field(default_factory=Latencies)
    cold: list[float] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    facts: dict[str, Any] = field(default_factory=dict)

    def times(self) -> dict[str, list[float]]:
        """Milliseconds by what is called in tables and plots."""
        return {
            "the typed character": self.latencies.echo,
            "ghost text, typed through": self.latencies.typed_through,
            "ghost text, asked anew": self.latencies.asked,
            "first ghost text, engine cold": self.cold,
        }

    def to_dict(self) -> dict[str, Any]:
        """For JSON: all times, and their distributions."""
        return {
            "editor": self.editor,
            "num_keystrokes": self.num_keystrokes,
            "num_frames": self.num_frames,
            "num_blank_frames": self.faults.num_blank,
            "num_backward_frames": self.faults.num_backward,
            "backward_examples": self.faults.examples[:5],
            "key_to_paint_ms": {
                name: Distribution.of(times).to_dict(1) if times else None
                for name, times in self.times().items()
            },
            "times_ms": {
                name: [round(time, 1) for time in times] for name, times in self.times().items()
            },
            "facts": self.facts,
        }
