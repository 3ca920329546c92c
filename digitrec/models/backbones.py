"""Networks known by name, with the layers of torchvision or timm and, if wanted, weights learned from ImageNet."""

import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
import torchvision
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights, list_models

from digitrec.errors import DigitrecError, UsageError, needs_extra
from digitrec.models.classifier import last_dense
from digitrec.models.wrapped import Wrapped
from digitrec.system.wording import first_line, near

Share = Annotated[float, Ge(0), Lt(1)]
WITH_AUXILIARY = ("googlenet", "inception_v3")  # which give more than logits in training, unless switched off


class Backbone(Wrapped):
    """One of torchvision's or timm's networks for classification, made for images of any number of channels.

    Unless images are resized, its first convolution gets 3x3 pixels and stride 1, and if it had a larger stride, the
    first pooling is left out: at 28 pixels there is nothing to spare.

    Args:
        library: whose network it is.
        name: as the library calls it.
        pretrained: start from ImageNet weights, torchvision's from torch.hub's folder, timm's from that of the Hugging
            Face hub, or else the network; the last layer is new. A checkpoint notes false: it brings its own.
        resize: pixels that images are resized to, height and width; the first convolution stays as it was made then.
        dropout: share of the units before the last layer silenced in training; None: as the network was published.
        num_classes, in_channels, image_size: as of `DigitClassifier`.

    Raises:
        UsageError: there is no such network, or the library is not installed.
        ValueError: the network takes no images of this size.
        DigitrecError: the ImageNet weights can't be had.
    """

    def __init__(
        self,
        library: Literal["torchvision", "timm"] = "torchvision",
        name: str = "resnet18",
        pretrained: bool = False,
        resize: Annotated[int, Gt(0)] | None = None,
        dropout: Share | None = None,
        num_classes: int = 10,
        in_channels: int = 1,
        image_size: int = 28,
    ) -> None:
        spec = {"library": library, "name": name, "pretrained": pretrained, "small": resize is None, "dropout": dropout}
        super().__init__(
            {"_target_": f"{__name__}.known_network", **spec}, resize, num_classes, in_channels, image_size
        )
        del self.hparams["network"]
        self.hparams["pretrained"] = False
        self.register_load_state_dict_pre_hook(_rename_former)  # type: ignore[no-untyped-call]
        self.to(memory_format=torch.channels_last)

    @property
    def network_name(self) -> str:
        """As the library calls it."""
        return str(self.hparams["name"])


def known_network(
    library: str, name: str, pretrained: bool, small: bool, dropout: float | None, num_classes: int, in_channels: int
) -> nn.Module:
    """A library's network; `small`: for images of so few pixels that none may be lost at the start."""
    make = {"torchvision": _from_torchvision, "timm": _from_timm}[library]
    network = make(name, pretrained, dropout, num_classes)
    where, first = next((name, part) for name, part in network.named_modules() if isinstance(part, nn.Conv2d))
    form: dict[str, Any] = {"kernel_size": 3, "padding": 1}
    if not small:
        form = {key: getattr(first, key) for key in ("kernel_size", "stride", "padding")}
    stem = nn.Conv2d(in_channels, first.out_channels, bias=first.bias is not None, **form)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
    if pretrained:
        stem.weight.data.copy_(grey_kernels(first.weight.detach(), in_channels, stem.kernel_size))
    network.set_submodule(where, stem)
    if small and first.stride != (1, 1):
        pools = (name for name, part in network.named_modules() if isinstance(part, nn.MaxPool2d))
        if pool := next(pools, None):
            network.set_submodule(pool, nn.Identity())
    return network


def _from_torchvision(name: str, pretrained: bool, dropout: float | None, num_classes: int) -> nn.Module:
    if name not in (known := list_models(module=torchvision.models)):
        raise UsageError(f"name={name}: torchvision has no such network{near(name, known)}")
    options = {"aux_logits": False, "init_weights": True} if name in WITH_AUXILIARY else {}
    network: nn.Module = get_model(name, weights=None, num_classes=num_classes, **options)
    if pretrained:
        _load_imagenet(network, name)
    if silenced := [part for part in network.modules() if isinstance(part, nn.Dropout) and part.p]:
        for part in silenced:
            part.p = part.p if dropout is None else dropout
    else:
        where, last = last_dense(network)
        assert last is not None
        network.set_submodule(where, nn.Sequential(nn.Dropout(dropout or 0.0), last))
    return network


def _from_timm(name: str, pretrained: bool, dropout: float | None, num_classes: int) -> nn.Module:
    try:
        import timm
    except ImportError:
        raise UsageError(needs_extra("model=timm", "timm")) from None
    if not timm.is_model(name):
        raise UsageError(f"name={name}: timm {timm.__version__} has no such network{near(name, timm.list_models())}")
    options: dict[str, Any] = {} if dropout is None else {"drop_rate": dropout}
    try:
        network: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=num_classes, **options)
    except (OSError, RuntimeError) as error:
        if not pretrained:
            raise
        raise DigitrecError(f"{name}: no ImageNet weights ({first_line(error)}); use model.pretrained=false") from error
    return network


def grey_kernels(kernels: Tensor, in_channels: int, size: tuple[int, ...] = (3, 3)) -> Tensor:
    """Kernels (N, 3, K, K) for colour pictures -> (N, in_channels, *size), of K pixels or of 3, for grey ones.

    The sum over colours is what a grey picture got, shared out evenly over `in_channels`. Of larger kernels each new
    weight is the mean over the area it stands for, scaled so that an even kernel answers an even picture as before:
    the pattern stays and becomes smaller, as the pictures do.
    """
    grey = kernels.sum(dim=1, keepdim=True)
    if grey.shape[2:] != size:
        grey = F.interpolate(grey, size=size, mode="area") * (kernels.shape[-1] / size[0]) ** 2
    return grey.expand(-1, in_channels, -1, -1) / in_channels


def _load_imagenet(network: nn.Module, name: str) -> None:
    weights = get_model_weights(name).DEFAULT
    own = network.state_dict()
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True, map_location="cpu")
        # DenseNet's file has the names of an old torchvision, "norm.1" for "norm1".
        state = {re.sub(r"(norm|conv)\.(\d)", r"\1\2", name): part for name, part in state.items()}
        # The last layer stays, of another size or not; what only training on ImageNet needs is left out.
        last = next(reversed(own)).rpartition(".")[0]
        network.load_state_dict({name: own[name] if name.startswith(f"{last}.") else state[name] for name in own})
    except (OSError, RuntimeError, EOFError, KeyError, UnpicklingError) as error:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise DigitrecError(
            f"{name}: no ImageNet weights ({first_line(error)}); use model.pretrained=false, "
            f"or put {Path(weights.url).name} into {folder}"
        ) from error


def _rename_former(model: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Weights of earlier versions, which took networks apart into features and head, get the names of today."""
    own = model.state_dict().keys()
    for key in [key for key in state if key.startswith((f"{prefix}features.", f"{prefix}head."))]:
        rest = key.removeprefix(prefix).partition(".")[2]
        names = (f"network.{place}{rest}" for place in ("", "features.", "classifier.", "fc."))
        if new := next((name for name in names if name in own), None):
            state[f"{prefix}{new}"] = state.pop(key)


# What configurations and checkpoints of earlier versions name.


def ResNet18(  # noqa: N802
    pretrained: bool = False, dropout: Share = 0.0, num_classes: int = 10, in_channels: int = 1, image_size: int = 28
) -> Backbone:
    """ResNet-18 (He et al., 2016, arXiv:1512.03385)."""
    return _former("resnet18", locals())


def DenseNet121(  # noqa: N802
    pretrained: bool = False, dropout: Share = 0.0, num_classes: int = 10, in_channels: int = 1, image_size: int = 28
) -> Backbone:
    """DenseNet-121 (Huang et al., 2017, arXiv:1608.06993)."""
    return _former("densenet121", locals())


def MobileNetV3Small(  # noqa: N802
    pretrained: bool = False, dropout: Share = 0.0, num_classes: int = 10, in_channels: int = 1, image_size: int = 28
) -> Backbone:
    """MobileNetV3-Small (Howard et al., 2019, arXiv:1905.02244)."""
    return _former("mobilenet_v3_small", locals())


def _former(name: str, arguments: Mapping[str, Any]) -> Backbone:
    return Backbone(name=name, **arguments)


FORMER = (ResNet18, DenseNet121, MobileNetV3Small)
