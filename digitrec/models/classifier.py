"""The LightningModule that every network shares: steps, loss, metrics, optimizer and checkpoint content."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from lightning import LightningModule
from lightning.pytorch.plugins.precision import Precision
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import GradClipAlgorithmType
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from digitrec.data.labels import NO_DIGIT, checked_class_names
from digitrec.errors import CheckpointError, DigitrecError, DivergedError, UsageError
from digitrec.models.epoch_metrics import Metrics, StageMetrics, by_input
from digitrec.models.loss import weighted_cross_entropy
from digitrec.models.loss_watch import LossWatch
from digitrec.models.running_epoch import RunningEpoch
from digitrec.weights import MOST_LAYERS

Batch = tuple[Tensor, Tensor]
TrainingBatch = tuple[Tensor, ...]  # with labels and share of the images mixed in, if there are any
MOST_CLASSES = 100_000  # of a network; a file of a few bytes can name more
MOST_FEATURES = 2**22  # values of one image after any layer; a batch of 250 takes 4 GiB of them


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained.

    Attributes:
        optimizer: model -> optimizer.
        scheduler: optimizer, total number of steps -> schedule.
        per_epoch: the schedule is stepped once per epoch, otherwise once per optimizer step.
        label_smoothing: share of the target spread evenly over all classes, in [0, 1); training loss only.
        outliers: some training images show no digit and are labelled `NO_DIGIT`.
    """

    optimizer: Callable[[nn.Module], Optimizer]
    scheduler: Callable[[Optimizer, int], LRScheduler]
    label_smoothing: float = 0.0
    outliers: bool = False
    per_epoch: bool = False


class DigitClassifier(LightningModule):
    """A network that turns images into one logit per class.

    A subclass takes plain numbers (and lists of them), builds its layers and defines `forward`: images (B, C, H, W),
    uint8 or float in [0, 1] -> logits (B, num_classes).

    Args:
        num_classes: 2 to `MOST_CLASSES`.
        in_channels: channels of an image.
        image_size: height and width in pixels.

    Raises:
        ValueError: such numbers are impossible, or a list of the subclass's arguments is longer than `MOST_LAYERS`.

    Attributes:
        class_names: one per class, from the data.
        recipe: how it is trained; needed only for that.
        settings: the configuration it was built from, plain values; empty if there was none. The checkpoint keeps it.
        threshold: confidence below which an image counts as no digit (`digitrec.recognition.rejection`), or None.
        quantile: greatest 1 - p in a prediction set (`digitrec.calibrate`), or None; a training doesn't keep it.
    """

    mean: Tensor
    std: Tensor
    class_weights: Tensor | None

    def __init__(self, num_classes: int = 10, in_channels: int = 1, image_size: int = 28) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)  # with the subclass's arguments: a checkpoint rebuilds it from them
        if num_classes < 2 or in_channels < 1 or image_size < 1:
            raise ValueError(
                "expected num_classes >= 2, in_channels >= 1 and image_size >= 1, "
                f"got {num_classes}, {in_channels} and {image_size}"
            )
        longest = max((len(value) for value in self.hparams.values() if isinstance(value, list | tuple)), default=0)
        if num_classes > MOST_CLASSES or longest > MOST_LAYERS:
            raise ValueError(
                f"expected {MOST_CLASSES:,} classes and lists of {MOST_LAYERS:,} numbers at most, "
                f"got {num_classes:,} and {longest:,}"
            )
        check_features(in_channels * image_size**2)
        self.register_buffer("mean", torch.zeros(in_channels, 1, 1))
        self.register_buffer("std", torch.ones(in_channels, 1, 1))
        self.register_buffer("class_weights", None, persistent=False)
        self.class_names = tuple(str(label) for label in range(num_classes))
        self.recipe: Recipe | None = None
        self.settings: dict[str, Any] = {}
        self.threshold: float | None = None
        self.quantile: float | None = None
        self.count_metrics({})
        self._epoch = RunningEpoch()
        self._watch = LossWatch()

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; the name of Lightning's running hook without torch's checks.

        Lightning sets it forty times a step, and torch checks each time whether it is a parameter (0.1 ms a step).
        """
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def network_name(self) -> str:
        """What people call the network."""
        return type(self).__name__

    @property
    def metric_names(self) -> list[str]:
        """Names under which metrics are logged, those of single classes left out."""
        return [*self.train_metrics.names, *self.val_metrics.names, *self.test_metrics.names]

    def count_metrics(self, metrics: Metrics) -> None:
        """Count these, by name, beside loss and accuracy: in training, validation and test.

        Raises:
            UsageError: one of them takes neither predicted labels nor probabilities, or gives no single number.
        """
        num_classes = len(self.class_names)
        parts = by_input(metrics, num_classes)
        self.train_metrics = StageMetrics("train", num_classes, *parts)
        self.val_metrics = StageMetrics("val", num_classes, *parts)
        self.test_metrics = StageMetrics("test", num_classes, *parts)

    def describe_data(
        self,
        class_names: Sequence[str],
        mean: Sequence[float],
        std: Sequence[float],
        class_weights: Tensor | None = None,
    ) -> None:
        """Keep class names, and mean and standard deviation per channel in [0, 1]; for training, weights of classes.

        Raises:
            ValueError: there is not one name of its own per class, or not one positive deviation per channel.
        """
        names = checked_class_names(class_names)
        if len(names) != len(self.class_names):
            raise ValueError(f"the network has {len(self.class_names)} classes, the data {len(names)}")
        if not len(mean) == len(std) == len(self.mean) or min(std) <= 0:
            raise ValueError(f"expected {len(self.mean)} means and positive deviations, got {mean} and {std}")
        self.class_names = names
        self.mean.copy_(torch.tensor(mean).view(-1, 1, 1))
        self.std.copy_(torch.tensor(std).view(-1, 1, 1))
        self.class_weights = class_weights

    def normalise(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W), uint8 in 0..255 or float in [0, 1] -> float with mean 0 and deviation 1."""
        scale = 255 if images.dtype == torch.uint8 else 1
        return (images.float() - self.mean * scale) / (self.std * scale)

    def training_step(self, batch: TrainingBatch, batch_idx: int) -> Tensor:
        """Loss of one batch; predictions are kept on the device and counted when the epoch ends."""
        assert self.recipe is not None, "a classifier needs a recipe before it can be trained"
        images, labels, *mixed = batch
        logits = self(images).float()
        smoothing, weights = self.recipe.label_smoothing, self.class_weights
        # Known beforehand: looking at the labels would wait for the device, and the other loss takes longer.
        if mixed or self.recipe.outliers or weights is not None:
            pair = (mixed[0], mixed[1]) if mixed else None
            loss = weighted_cross_entropy(logits, labels, pair, label_smoothing=smoothing, class_weights=weights)
        else:
            loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        self._watch.see(loss, f"step {self.global_step + 1} (epoch {self.current_epoch + 1}, batch {batch_idx + 1})")
        self._epoch.add(loss.detach(), self.train_metrics.needed_of(logits.detach()), labels)
        interval = self.trainer.log_every_n_steps or 1  # type: ignore[attr-defined]  # Lightning adds it at run time
        if (self.global_step + 1) % interval == 0:
            self.log("train/loss_step", self._epoch.recent_loss(interval))
        return loss

    def on_train_start(self) -> None:
        """Move what a checkpoint brought: it is read before the network is on its device."""
        self._epoch.to(self.device)

    def on_train_epoch_end(self) -> None:
        """Count the epoch's outputs at once: a metric update per step would cost a fiftieth of the time.

        Images that show no digit have a loss, and nothing that could be predicted right.
        """
        sizes, losses, outputs, labels = self._epoch.gathered()
        self._epoch.clear()
        digits = labels != NO_DIGIT
        weight = torch.tensor(sizes, device=self.device)
        self.train_metrics.update(losses, outputs[digits], labels[digits], weight=weight)
        self._log_epoch(self.train_metrics)

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Count one batch of the validation split; its logits (B, num_classes) are for callbacks."""
        return self._count(batch, self.val_metrics)

    def on_validation_epoch_end(self) -> None:
        """Log the validation metrics, and step a schedule that follows loss (mode=min) or accuracy (mode=max).

        Lightning would do that after the checkpoint has been saved, and a resumed training would miss it.
        """
        values = self._log_epoch(self.val_metrics)
        if self.trainer.state.fn == TrainerFn.FITTING and not self.trainer.sanity_checking:
            for config in self.trainer.lr_scheduler_configs:
                if isinstance(scheduler := config.scheduler, ReduceLROnPlateau):
                    scheduler.step(values["val/loss" if scheduler.mode == "min" else "val/accuracy"].item())

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Count one batch of the test split."""
        self._count(batch, self.test_metrics)

    def on_test_epoch_end(self) -> None:
        """Log the test metrics, F1 of each class with them."""
        self._log_epoch(self.test_metrics)

    def predict_step(self, batch: Batch | Tensor, batch_idx: int) -> Tensor:
        """Probabilities (B, num_classes)."""
        images = batch if isinstance(batch, Tensor) else batch[0]
        probabilities: Tensor = self(images).float().softmax(dim=1)
        return probabilities

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Optimizer and schedule of the recipe, the schedule over the true number of steps."""
        assert self.recipe is not None, "a classifier needs a recipe before it can be trained"
        optimizer = self.recipe.optimizer(self)
        scheduler = self.recipe.scheduler(optimizer, self._total_steps())
        interval = "epoch" if self.recipe.per_epoch else "step"
        config: Any = {"scheduler": scheduler, "interval": interval, "name": "lr", "reduce_on_plateau": False}
        return {"optimizer": optimizer, "lr_scheduler": config}

    def lr_scheduler_step(self, scheduler: Any, metric: Any | None) -> None:
        """Step a schedule, unless it follows validation (`on_validation_epoch_end`)."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step()

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip gradients, also for fused optimizers, unless a scaler has enlarged them.

        Lightning refuses fused ones with every mixed precision, also with bfloat16, which needs no scaler.

        Raises:
            DigitrecError: a scaler and a fused optimizer, as with float16.
        """
        plugin = self.trainer.precision_plugin
        scaled = getattr(plugin, "scaler", None) is not None
        if gradient_clip_val and scaled and getattr(optimizer, "_step_supports_amp_scaling", False):
            raise DigitrecError(
                f"trainer.gradient_clip_val={gradient_clip_val}: a fused optimizer takes it with "
                "trainer.precision=bf16-mixed or 32-true only; use one of these"
            )
        algorithm = GradClipAlgorithmType(gradient_clip_algorithm or GradClipAlgorithmType.NORM)
        Precision.clip_gradients(plugin, optimizer, gradient_clip_val or 0.0, algorithm)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what restores the model without any configuration, in plain values.

        Raises:
            DivergedError: a loss was infinite or not a number.
        """
        self._watch.settle()
        kind = type(self)
        checkpoint["digitrec"] = {
            "format": 1,
            "network": f"{kind.__module__}.{kind.__qualname__}",
            "arguments": dict(self.hparams),
            "class_names": list(self.class_names),
            "settings": self.settings,
            "threshold": self.threshold,
        }
        if len(self._epoch):  # in the middle of an epoch
            checkpoint["digitrec"]["seen"] = self._epoch.state_by_rank(self.trainer.world_size)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on counting the epoch that the checkpoint was saved in, with the threshold that its network had.

        Raises:
            CheckpointError: it has no training state, for which Lightning has no message of one line.
        """
        if not (
            self._trainer is None
            or _has_keys(checkpoint.get("loops"), {"fit_loop": self.trainer.fit_loop.state_dict()})
        ):
            raise CheckpointError("the checkpoint lacks the progress of its training; start a run with init_from=...")
        about = checkpoint.get("digitrec", {})
        self.threshold = about.get("threshold")
        self._epoch.load_state(about.get("seen", {}), self.global_rank)

    def _count(self, batch: Batch, metrics: StageMetrics) -> Tensor:
        images, labels = batch
        logits: Tensor = self(images).float()
        metrics.update(F.cross_entropy(logits, labels), metrics.needed_of(logits), labels, weight=len(labels))
        return logits

    def _log_epoch(self, metrics: StageMetrics) -> dict[str, Tensor]:
        values = metrics.compute(self.class_names)
        self.log_dict(values)
        name = f"{metrics.stage}/loss"
        if not values[name].isfinite():
            raise DivergedError(
                f"{name} is {values[name].item()} in epoch {self.current_epoch + 1}: training has diverged."
            )
        return values

    def _total_steps(self) -> int:
        steps = self.trainer.estimated_stepping_batches
        if steps == float("inf"):
            raise UsageError("a schedule needs an end: set trainer.max_epochs or trainer.max_steps")
        return int(steps)


def _has_keys(given: Any, expected: Any) -> bool:
    """Whether `given` has every key of `expected`, at any depth."""
    if not isinstance(expected, dict):
        return True
    return isinstance(given, dict) and all(key in given and _has_keys(given[key], expected[key]) for key in expected)


def check_features(count: int) -> None:
    """ValueError if a layer gives more than `MOST_FEATURES` values for one image."""
    if count > MOST_FEATURES:
        raise ValueError(f"a layer gives {count:,} values for one image, expected {MOST_FEATURES:,} at most")


def last_dense(model: nn.Module) -> tuple[str, nn.Linear | None]:
    """Name and module of the last dense layer, which gives the logits of most networks; ("", None) without one."""
    layers = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    return layers[-1] if layers else ("", None)
