"""What was painted, made into latencies and faults. Knows nothing of editors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Frame:
    """What the screen shows from one painted frame on.

    Attributes:
        at_ms: right after it was painted.
        frame_idx: counts frames, also those that changed nothing.
        line: the cursor's line without ghost text; the cursor is at its end.
        ghost: the ghost text behind it, "" for none.
    """

    at_ms: float
    frame_idx: int
    line: str
    ghost: str

    @property
    def whole(self) -> str:
        """The line as it would be if the ghost text were accepted."""
        return self.line + self.ghost


@dataclass(frozen=True, slots=True)
class Key:
    """A key and the line it makes.

    Attributes:
        at_ms: when it was pressed, by the clock of the frames.
        line: the cursor's line after it.
        is_deletion: whether it takes something away.
    """

    at_ms: float
    line: str
    is_deletion: bool


@dataclass(slots=True)
class Latencies:
    """Milliseconds from keys to what was painted for them.

    Attributes:
        echo: to the typed character itself: the editor's own share.
        asked: to ghost text where none was shown that fits what was typed.
        typed_through: to the rest of ghost text that was shown before and was typed on.
    """

    echo: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    typed_through: list[float] = field(default_factory=list)

    def add(self, other: "Latencies") -> None:
        """Take over another's measurements."""
        self.echo += other.echo
        self.asked += other.asked
        self.typed_through += other.typed_through


@dataclass(slots=True)
class Faults:
    """What should never be seen.

    Attributes:
        num_blank: frames without ghost text between two with it, though what was typed agrees.
        num_backward: frames whose ghost text takes back some of what was shown, likewise.
        examples: of the latter, before and after.
    """

    num_blank: int = 0
    num_backward: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)

    def add(self, other: "Faults") -> None:
        """Take over another's counts."""
        self.num_blank += other.num_blank
        self.num_backward += other.num_backward
        self.examples += other.examples


def latencies(keys: Sequence[Key], frames: Sequence[Frame]) -> Latencies:
    """Find for each key that inserts something when it and its ghost text were painted.

    A key's time ends with the next key. Keys after which nothing was shown count only as echo.
    """
    found = Latencies()
    for key, next_key in zip(keys, [*keys[1:], None], strict=True):
        if key.is_deletion:
            continue
        before = _last_before(key.at_ms, frames)
        shown = list(_shown_for(key, next_key, frames))
        if not shown:
            continue
        found.echo.append(shown[0].at_ms - key.at_ms)
        painted = next((frame for frame in shown if frame.ghost), None)
        if painted is not None:
            fits = before is not None and bool(before.ghost) and before.whole != key.line
            is_typed_through = fits and before is not None and before.whole.startswith(key.line)
            times = found.typed_through if is_typed_through else found.asked
            times.append(painted.at_ms - key.at_ms)
    return found


def faults(frames: Sequence[Frame]) -> Faults:
    """Count blank and backward-changing frames.

    Ghost text may end or change when something else is typed or something is deleted. While what is
    typed agrees with it, it may only get longer at its end.
    """
    found = Faults()
    shown: Frame | None = None
    num_without = 0
    for frame, next_frame in zip(frames, [*frames[1:], None], strict=True):
        if shown is not None and not _agrees(frame.line, shown):
            shown, num_without = None, 0
        if frame.ghost:
            if shown is not None:
                found.num_blank += num_without
                if not frame.whole.startswith(shown.whole):
                    found.num_backward += 1
                    found.examples.append((shown.whole, frame.whole))
            shown, num_without = frame, 0
        elif shown is not None and next_frame is not None:
            if frame.line == shown.whole:
                shown, num_without = None, 0  # typed to its end: what follows is another
            else:
                num_without += next_frame.frame_idx - frame.frame_idx
    return found


def _agrees(line: str, shown: Frame) -> bool:
    return line.startswith(shown.line) and shown.whole.startswith(line)


def _last_before(at_ms: float, frames: Sequence[Frame]) -> Frame | None:
    return next((frame for frame in reversed(frames) if frame.at_ms < at_ms), None)


def _shown_for(key: Key, next_key: Key | None, frames: Sequence[Frame]) -> Iterator[Frame]:
    """Yield the frames that show the key's line, from the key to the next key's first frame."""
    for frame in frames:
        if frame.at_ms < key.at_ms:
            continue
        if frame.line == key.line:
            yield frame
        elif next_key is not None and frame.at_ms > next_key.at_ms:
            return
