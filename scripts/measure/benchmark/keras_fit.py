"""Keras' `fit` of the 32/64 network on MNIST in memory: python -m scripts.measure.benchmark.keras_fit LAPS FOLDER.

Runs in an environment of its own with keras, tensorflow-cpu and numpy; FOLDER holds MNIST's extracted files.
"""

import os
import sys
from pathlib import Path

import keras
import numpy as np

from scripts.measure.benchmark.laps import Laps

BATCH = 128


def main() -> None:
    """Do the epochs that are asked for on standard input."""
    number, folder = int(sys.argv[1]), Path(sys.argv[2])
    rates = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    pixels = np.fromfile(folder / "train-images-idx3-ubyte", np.uint8, offset=16)
    labels = np.fromfile(folder / "train-labels-idx1-ubyte", np.uint8, offset=8)
    images = pixels.reshape(-1, 28, 28, 1).astype(np.float32) / 255
    laps = Laps(number, sys.stdin, rates)
    laps.images = len(images)
    clock = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: laps.begin(), on_train_end=lambda logs: laps.end()
    )
    network().fit(images, labels, batch_size=BATCH, epochs=number, callbacks=[clock], verbose=0)


def network() -> keras.Model:
    """As Keras' own MNIST example, with the layers of `model=cnn`."""
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


if __name__ == "__main__":
    main()
