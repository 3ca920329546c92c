from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from digitrec.errors import UsageError
from digitrec.models.backbones import MobileNetV3Small
from digitrec.models.classifier import DigitClassifier
from digitrec.models.cnn import CNN
from digitrec.models.mlp import MLP
from digitrec.models.residual import ResidualCNN
from digitrec.models.transfer import take_weights

NAMES = ("a", "b", "c")
MAKERS: list[Callable[..., DigitClassifier]] = [
    lambda **settings: CNN(**{"filters": [4], "hidden": 5, "image_size": 12, **settings}),
    lambda **settings: MLP(**{"hidden": [6, 5], "image_size": 12, **settings}),
    lambda **settings: MLP(**{"hidden": [], "image_size": 12, **settings}),
    lambda **settings: ResidualCNN(**{"stem": [4], "filters": [6], "blocks": [1], "image_size": 12, **settings}),
    lambda **settings: MobileNetV3Small(**{"image_size": 12, **settings}),
]

every_network = pytest.mark.parametrize("make", MAKERS, ids=["cnn", "mlp", "linear", "residual", "mobilenet"])


def source(make: Callable[..., DigitClassifier]) -> DigitClassifier:
    """A network for the classes a, b and c, whose normalisation and batch statistics are no longer the first ones."""
    torch.manual_seed(1)
    model = make(num_classes=3)
    model.describe_data(NAMES, (0.2,), (0.4,))
    model(torch.rand(4, 1, 12, 12))
    return model.eval()


def network(make: Callable[..., DigitClassifier], **settings: Any) -> DigitClassifier:
    torch.manual_seed(2)
    return make(**settings).eval()


@every_network
def test_with_the_same_classes_it_computes_the_same(make: Callable[..., DigitClassifier]) -> None:
    old, new, images = source(make), network(make, num_classes=3), torch.rand(4, 1, 12, 12)
    take_weights(new, old, NAMES)
    assert torch.equal(new(images), old(images))


@every_network
@pytest.mark.parametrize("names", ["abcd", "bac", "abx"])
def test_with_other_classes_all_but_the_last_layer_is_taken(make: Callable[..., DigitClassifier], names: str) -> None:
    old, new = source(make), network(make, num_classes=len(names))
    before = {name: part.clone() for name, part in new.state_dict().items()}
    take_weights(new, old, names)
    last = list(before)[-2:]
    for name, part in new.state_dict().items():
        assert torch.equal(part, before[name] if name in last else old.state_dict()[name]), name


@every_network
def test_the_source_stays_its_own(make: Callable[..., DigitClassifier]) -> None:
    old, new = source(make), network(make, num_classes=3)
    take_weights(new, old, NAMES)
    before = [parameter.clone() for parameter in old.parameters()]
    for parameter in new.parameters():
        parameter.data.zero_()
    assert all(torch.equal(one, other) for one, other in zip(before, old.parameters(), strict=True))


def test_dropout_may_differ_and_a_list_is_a_tuple() -> None:
    old, new = CNN([4, 6], image_size=12), CNN((4, 6), dropout=0.1, image_size=12)
    take_weights(new, old, old.class_names)
    assert all(torch.equal(one, other) for one, other in zip(new.parameters(), old.parameters(), strict=True))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (MLP(), CNN(), "^the checkpoint holds a MLP, model is CNN$"),
        (CNN(hidden=64), CNN(), r"the checkpoint has hidden=64, model has 128; use model\.hidden=64"),
        (CNN([32, 64, 64]), CNN(), r"filters=\[32,64,64\], model has \[32,64\]; use model\.filters=\[32,64,64\]"),
    ],
)
def test_another_network_is_an_error_with_the_difference(
    old: DigitClassifier, new: DigitClassifier, message: str
) -> None:
    before = [parameter.clone() for parameter in new.parameters()]
    with pytest.raises(UsageError, match=message):
        take_weights(new, old, old.class_names)
    assert all(torch.equal(one, other) for one, other in zip(before, new.parameters(), strict=True))


class Convolution(DigitClassifier):
    """Has no dense layer at its end."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(num_classes, image_size=12)
        self.squeeze = nn.Linear(12, 12)
        self.layer = nn.Conv2d(1, num_classes, 12)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layer(self.squeeze(self.normalise(images))).flatten(1)
        return logits


def test_without_a_last_dense_layer_the_classes_have_to_be_the_same() -> None:
    old, new = Convolution(), Convolution(4)
    take_weights(Convolution(), old, old.class_names)
    with pytest.raises(UsageError, match="Convolution has no last dense layer to renew"):
        take_weights(new, old, "abcd")
