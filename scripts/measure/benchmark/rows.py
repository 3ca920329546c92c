"""What the measurements come to: figures beside what people would use instead, and the targets set for them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from scripts.measure.benchmark.measures import SIZES

Values = Mapping[str, float]
Measured = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Row:
    """A line of the performance table.

    Attributes:
        title: what is compared with what.
        value: one value of each measurement -> the figure.
        style: format of the figure.
        needs: names of the measurements.
        target: the figure hoped for.
        at_most: whether less is better.
        paired: compare within each round, since from one to the next a machine's speed drifts; else compare medians.
    """

    title: str
    value: Callable[[Values], float]
    style: str
    needs: tuple[str, ...]
    target: float | None = None
    at_most: bool = False
    paired: bool = True

    @property
    def goal(self) -> str:
        """The target in words; empty without one."""
        if self.target is None:
            return ""
        return ("at most " if self.at_most else "at least ") + self.style.format(self.target)

    def figure(self, measured: Measured) -> float:
        """Median over rounds, of figures or of what they are made of; the latter also where rounds are missing."""
        values = [measured[name] for name in self.needs]
        if not self.paired or len({len(rounds) for rounds in values}) > 1:
            values = [[median(rounds)] for rounds in values]
        return median(self.value(dict(zip(self.needs, one, strict=True))) for one in zip(*values, strict=True))

    def met(self, figure: float) -> bool | None:
        """Whether the target is reached; None without a target."""
        if self.target is None:
            return None
        return figure <= self.target if self.at_most else figure >= self.target


def _ratio(title: str, figure: str, beside: str, target: float | None = None, *, at_most: bool = False) -> Row:
    return Row(title, lambda m: m[figure] / m[beside], "{:.2f} x", (figure, beside), target, at_most)


def _unevenness(values: Values) -> float:
    """Largest deviation of an epoch's time per image from the middle of all sizes, as a share."""
    rates = sorted(values[f"images_{size}"] for size in SIZES)
    middle = rates[len(rates) // 2]
    return max(abs(middle / rate - 1) for rate in rates)


ROWS = (
    Row("training, images/s", lambda m: m["digitrec"], "{:,.0f}", ("digitrec",)),
    _ratio("training beside a bare loop of the same computation", "digitrec", "bare_loop", 0.95),
    _ratio("the same with affine augmentation", "digitrec_affine", "bare_loop_affine", 0.95),
    _ratio("beside a bare loop with the network as everyone writes it", "digitrec", "usual_network", 1.10),
    Row(
        "beside torchvision's data set, a DataLoader and the usual LightningModule",
        lambda m: m["digitrec"] / max(m["tutorial"], m["tutorial_workers"]),
        "{:.2f} x", ("digitrec", "tutorial", "tutorial_workers"), 3.3,
    ),
    _ratio("beside Keras' fit", "digitrec", "keras", 1.8),
    _ratio("bfloat16 beside float32", "digitrec", "digitrec_float32"),
    _ratio("compile=true beside false, start left out", "digitrec_compiled", "digitrec"),
    _ratio("two processes of one thread (DDP) beside one of two", "two_processes", "digitrec"),
    _ratio("evaluation beside training", "evaluation", "digitrec", 3.0),
    Row(
        "validation each epoch, share of its time", lambda m: 1 - m["digitrec_validated"] / m["digitrec"],
        "{:.1%}", ("digitrec_validated", "digitrec"), 0.06, at_most=True,
    ),
    Row(
        "time per image at 15,000 to 240,000 images an epoch, largest deviation", _unevenness,
        "{:.1%}", tuple(f"images_{size}" for size in SIZES), 0.05, at_most=True, paired=False,
    ),
    _ratio(
        "command to first step, beside importing torch, lightning, torchvision", "first_step", "imports", 0.55,
        at_most=True,
    ),
    *(
        _ratio(f"{name} to its first line, beside the same", f"{name}_output", "imports", 0.6, at_most=True)
        for name in ("evaluate", "tune", "export", "app")
    ),
    Row("--help", lambda m: m["help"], "{:.2f} s", ("help",), 0.8, at_most=True),
    Row("error for a mistyped key", lambda m: m["wrong_key"], "{:.2f} s", ("wrong_key",), 0.8, at_most=True),
    Row(
        "memory that training adds to the imports", lambda m: m["training_memory"] - m["imports_memory"],
        "{:.0f} MB", ("training_memory", "imports_memory"), 400, at_most=True,
    ),
    Row("one image by the shipped weights", lambda m: m["one_image_numpy"], "{:.2f} ms", ("one_image_numpy",)),
    Row("the same by onnxruntime", lambda m: m["one_image_onnxruntime"], "{:.2f} ms", ("one_image_onnxruntime",)),
    Row("experiment=one_epoch, whole command", lambda m: m["one_epoch"], "{:.1f} s", ("one_epoch",), 9, at_most=True),
    _ratio("eight small runs in turn beside two side by side", "sweep_in_turn", "sweep_side_by_side"),
)  # fmt: skip
