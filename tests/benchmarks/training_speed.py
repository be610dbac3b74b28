"""Images a second of training and prediction, beside a loop by hand, skorch and Keras.

    python -m tests.benchmarks.training_speed
    python -m tests.benchmarks.training_speed --device cuda --films 1780

ResNet50 from random weights on films of noise, batches of 32, the augmentation "chest" and the
paper's head. All take turns, a round of as many batches each, so that a busy machine slows all of
them alike. Two nets are trained: ResNet50 with the head alone, which every library can build, and
the paper's whole block, beside the same loop by hand. Keras takes part where it is installed (the
extra `benchmarks`).

A loop by hand is what a careful user of torch writes: channels last, uint8 films moved batch by
batch (on a GPU resident there, with bfloat16 autocast and fused Adam), augmentation on the device.

The floor is counted, not measured: 3 x 4.1 GFLOP a film, and 790 TFLOP/s of an H100 in bfloat16.
"""

import argparse
import os
import time

os.environ["KERAS_BACKEND"] = "torch"

import numpy as np
import torch
from skorch import NeuralNet
from torch import nn

from skosteo import ImageOsteoClassifier
from skosteo.nets.image_net import ImageNet

SIZE, BATCH = 224, 32
FLOP_A_FILM, FLOP_A_SECOND = 3 * 4.1e9, 790e12
NET = {"backbone": "resnet50", "pretrained": False, "augmentation": "chest", "dropout": 0.25}
HEAD = (1024, 512, 256)


def module(branches):
    return ImageNet(
        **NET,
        pixel_range=(0, 255),
        wavelet=branches,
        soft_attention=branches,
        gradient_fusion="running",
        hidden_layer_sizes=HEAD,
        freeze_backbone=False,
    )


def synchronise(device):
    if device == "cuda":
        torch.cuda.synchronize()


# ---------------------------------------------------------------- a round of each, seconds


class BySkosteo:
    """Each round is a fit, of which the epoch is timed."""

    def __init__(self, films, y, device, branches):
        self.model = ImageOsteoClassifier(
            **NET, wavelet=branches, soft_attention=branches, early_stopping=False, max_epochs=1,
            batch_size=BATCH, device=device, random_state=0,
        )  # fmt: skip
        self.films, self.y = films, y

    def round(self):
        self.model.fit(self.films, self.y)
        return self.model.history_["seconds"].iloc[-1]


class ByHand:
    def __init__(self, films, y, device, branches):
        self.device, self.branches = device, branches
        self.films, self.y = torch.from_numpy(films)[:, None], torch.from_numpy(y).float()
        if device == "cuda":
            self.films, self.y = self.films.to(device), self.y.to(device)
        self.net = module(branches).to(device)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-5, fused=True)

    def round(self):
        synchronise(self.device)
        start = time.perf_counter()
        self.net.train()
        total = 0.0
        for index in torch.randperm(len(self.films)).to(self.films.device).split(BATCH):
            x, y = self.films[index], self.y[index]
            target = torch.stack([y, torch.ones_like(y)], dim=1) if self.branches else None
            self.optimizer.zero_grad()
            with torch.autocast("cuda", torch.bfloat16, enabled=self.device == "cuda"):
                logits = self.net(x, target)
            loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), y)
            loss.backward()
            self.optimizer.step()
            total += loss.detach()
        float(total)
        return time.perf_counter() - start


class BySkorch:
    """Plain skorch: its own loader and loop, float films as a tutorial has them."""

    def __init__(self, films, y, device, branches):
        scaled = np.repeat(films[:, None].astype(np.float32), 3, axis=1)
        self.data = scaled, y.astype(np.float32)
        self.net = NeuralNet(
            module, module__branches=False, criterion=nn.BCEWithLogitsLoss, train_split=None,
            optimizer=torch.optim.Adam, lr=1e-5, batch_size=BATCH, device=device, verbose=0,
        ).initialize()  # fmt: skip
        self.net.module_.to(memory_format=torch.contiguous_format)

    def round(self):
        start = time.perf_counter()
        self.net.partial_fit(*self.data, epochs=1)
        return time.perf_counter() - start


class ByKeras:
    def __init__(self, films, y, device, branches):
        import keras

        layers = keras.layers
        self.films, self.y = np.repeat(films[..., None], 3, axis=3), y.astype(np.float32)
        backbone = keras.applications.ResNet50(include_top=False, weights=None, pooling="max")
        augment = [
            layers.RandomFlip("horizontal"), layers.RandomRotation(10 / 360),
            layers.RandomTranslation(0.1, 0.1), layers.RandomZoom(0.1), layers.RandomContrast(0.3),
        ]  # fmt: skip
        head = [part for n in HEAD for part in (layers.Dense(n, "relu"), layers.Dropout(0.25))]
        self.model = keras.Sequential(
            [layers.Rescaling(1 / 255), *augment, backbone, *head, layers.Dense(1)]
        )
        self.model.compile(
            keras.optimizers.Adam(1e-5), keras.losses.BinaryCrossentropy(from_logits=True)
        )

    def round(self):
        start = time.perf_counter()
        self.model.fit(self.films, self.y, batch_size=BATCH, epochs=1, verbose=0)
        return time.perf_counter() - start


# ---------------------------------------------------------------- prediction


class PredictedBySkosteo:
    def __init__(self, fitted, films):
        self.model, self.films = fitted, films

    def round(self):
        start = time.perf_counter()
        self.model.predict_proba(self.films)
        return time.perf_counter() - start


class PredictedByHand:
    """Eager torch with the module of the fitted model, a batch at a time."""

    def __init__(self, fitted, films, device):
        self.net, self.films, self.device = fitted.net_.module_, films, device

    @torch.inference_mode()
    def round(self):
        synchronise(self.device)
        start = time.perf_counter()
        self.net.eval()
        for part in torch.from_numpy(self.films)[:, None].split(BATCH):
            self.net(part.to(self.device)).cpu()
        return time.perf_counter() - start


# ---------------------------------------------------------------- the table


def turns(ways, rounds):
    """Seconds of each way, a first round of warming up left out."""
    taken = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            seconds = way.round()
            if number:
                taken[name].append(seconds)
    return taken


def report(title, taken, n_films, device):
    fastest = {name: min(seconds) for name, seconds in taken.items()}
    reference = next(name for name in taken if "hand" in name)
    print(f"\n{title}: {n_films} films a round, {len(taken[reference])} rounds, {device}")
    for name, seconds in taken.items():
        rate = n_films / fastest[name]
        ratio = np.median(np.array(taken[reference]) / np.array(seconds))
        floor = f"{rate * FLOP_A_FILM / FLOP_A_SECOND:7.1%} of the floor" * (device == "cuda")
        print(
            f"  {name:24}{rate:9.1f} films/s at best {n_films / np.median(seconds):9.1f} in the "
            f"median  x {ratio:.2f} of {reference}{floor}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--films", type=int, default=3 * BATCH)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without", nargs="*", default=[], choices=["skorch", "Keras"])
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    films = rng.integers(0, 256, (args.films, SIZE, SIZE), np.uint8)
    data = films, np.resize([0, 1], args.films), args.device

    ways = {"skosteo": BySkosteo(*data, False), "by hand": ByHand(*data, False)}
    if "skorch" not in args.without:
        ways["skorch"] = BySkorch(*data, False)
    if "Keras" not in args.without:
        try:
            ways["Keras"] = ByKeras(*data, False)
        except ImportError:
            print("Keras is absent")
    report("Training, ResNet50", turns(ways, args.rounds), args.films, args.device)
    fitted = ways["skosteo"].model
    ways = {
        "skosteo": PredictedBySkosteo(fitted, films),
        "by hand": PredictedByHand(fitted, films, args.device),
    }
    report("Prediction, ResNet50", turns(ways, args.rounds), args.films, args.device)
    ways = {"skosteo": BySkosteo(*data, True), "by hand": ByHand(*data, True)}
    report("Training, the paper's net", turns(ways, args.rounds), args.films, args.device)


if __name__ == "__main__":
    main()
