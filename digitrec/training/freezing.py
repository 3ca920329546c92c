"""Train only the head for a while."""

import warnings
from typing import Annotated

from annotated_types import Ge
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import DDPStrategy
from torch import nn

from digitrec.errors import UsageError
from digitrec.models.classifier import last_dense


class FreezeFeatures(Callback):
    """Keeps `model.features` as they are at first: no gradients, no dropout, no new batch statistics.

    Of a network from elsewhere, `model.network`, these are all layers but the last dense one. Whether they are frozen
    follows from the epoch alone, so a resumed training goes on as it would have.

    Args:
        until_epoch: epochs before the features are trained as well; None never trains them.

    Raises:
        UsageError: when training starts, the network has no `features`, or several processes expect every gradient.
    """

    def __init__(self, until_epoch: Annotated[int, Ge(0)] | None = 3) -> None:
        self.until_epoch = until_epoch

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse what could only fail later."""
        if stage != "fit":
            return
        if _parts(pl_module)[0] is None:
            raise UsageError(f"callbacks.freeze: {type(pl_module).__name__} has no features that could be frozen")
        epochs = trainer.max_epochs
        if self.until_epoch is not None and epochs is not None and 0 < epochs <= self.until_epoch:
            warnings.warn(
                f"callbacks.freeze: the features stay as they are, until_epoch={self.until_epoch} is not reached in "
                f"trainer.max_epochs={epochs}",
                stacklevel=2,
            )
        strategy = trainer.strategy
        if isinstance(strategy, DDPStrategy) and not strategy._ddp_kwargs.get("find_unused_parameters"):
            raise UsageError(
                "callbacks.freeze: several processes need trainer.strategy=ddp_find_unused_parameters_true"
            )

    # Not earlier: the optimizer takes the parameters that have gradients when it is made, and has to have them all.
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Freeze or release; a training resumed within an epoch has no start of it."""
        trained = self.until_epoch is not None and trainer.current_epoch >= self.until_epoch
        features, head = _parts(pl_module)
        assert features is not None
        features.requires_grad_(trained)
        features.train(trained)
        if not trained:
            features.zero_grad(set_to_none=True)  # a gradient left over would still be followed
        if head is not None:
            head.requires_grad_(True).train()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Freeze or release."""
        self.on_train_start(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave a model that can be trained on."""
        features, _ = _parts(pl_module)
        assert features is not None
        features.requires_grad_(True)


def _parts(model: nn.Module) -> tuple[nn.Module | None, nn.Module | None]:
    """What is frozen, and of that what learns on."""
    if isinstance(features := getattr(model, "features", None), nn.Module):
        return features, None
    network = getattr(model, "network", None)
    return (network, last_dense(network)[1]) if isinstance(network, nn.Module) else (None, None)
