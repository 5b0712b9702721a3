"""Fit a small network with torch and hand its weights back as numpy arrays; alone imports torch."""

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.models._base import Matrix

GAIN, LAST = 1.4, 0.1  # of the first weights: what keeps the spread through SiLU layers, and of the last layer
FIRST_MOMENT, SECOND_MOMENT, SMALLEST = 0.9, 0.95, 1e-8  # of AdamW; the second as RealMLP has it
WARM = 0.1  # share of the steps in which the rate rises
TIMED = 20  # steps timed before the number of epochs is judged against the deadline
PATIENCE = 0.4  # share of the epochs without gain after which fitting ends
MASKS = 32  # batches of what is dropped out, drawn once
CHUNK = 8192  # rows that the inner split is scored in


@dataclass(frozen=True, slots=True)
class NetSettings:
    """What a network is fitted with: `epochs` of the rate's schedule, of which those up to `stop` are done.

    With `residual` a layer between two others adds to what it is given.
    """

    outputs: int
    width: int
    layers: int
    rate: float
    decay: float
    dropout: float
    epochs: int
    stop: int
    batch: int
    seed: int
    threads: int
    device: str
    deadline: float | None
    residual: bool = False


@dataclass(frozen=True, slots=True)
class Weights:
    """What a network learnt: a matrix (given, gives) and a shift (gives,) for each layer, and when it was best."""

    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]
    epochs: int
    stop: int


def fit_net(
    x: Matrix,
    goal: NDArray[Any],
    valid: tuple[Matrix, NDArray[Any]] | None,
    weight: NDArray[Any] | None,
    settings: NetSettings,
) -> Weights:
    """Fit by AdamW on one rise and fall of the rate; keep the weights that do best on `valid`.

    `goal` holds class codes (int64) if `outputs` is more than one, else scaled values or 0 and 1 (`binary` and
    regression share one output; which loss is used follows from the type of `goal`).
    """
    import torch

    torch.set_num_threads(settings.threads)
    devices = [torch.device(settings.device)] if settings.device != "cpu" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(settings.seed)
        training = _Training(x, goal, weight, settings)
        training.run(valid)
        return training.weights()


class _Training:
    """One fit: tensors on the device, the network's parameters, and the best of them so far."""

    def __init__(self, x: Matrix, goal: NDArray[Any], weight: NDArray[Any] | None, settings: NetSettings) -> None:
        import torch

        self.settings = settings
        self.torch = torch
        self.draw = np.random.default_rng(settings.seed)
        self.device = torch.device(settings.device)
        self.x = self._tensor(x)
        self.goal = self._tensor(goal)
        self.weight = None if weight is None else self._tensor(np.asarray(weight / np.mean(weight), np.float32))
        self.parameters = _start(torch, x.shape[1], settings, self.device)
        self.masks = self._masks()
        self.best = [parameter.detach().clone() for parameter in self.parameters]
        self.lowest = np.inf
        self.epochs = settings.epochs
        self.stop = 0

    def run(self, valid: tuple[Matrix, NDArray[Any]] | None) -> None:
        """Fit epoch by epoch until the last, until the inner split gains no more, or until the deadline."""
        optimiser = _AdamW(self.torch, self.parameters, self.settings.decay)
        inner = None if valid is None else (self._tensor(valid[0]), self._tensor(valid[1]))
        rows, size = len(self.x), self.settings.batch
        steps = max(1, rows // size)
        clock = _Clock(self.settings.deadline, steps, self.epochs)
        epoch = 0
        while epoch == 0 or (epoch < min(self.epochs, self.settings.stop) and not clock.is_late()):
            order: Any = self.torch.randperm(rows).to(self.device)
            for part in order[: steps * size].split(size):
                self._step(optimiser, part, clock)
                if clock.is_late():
                    break
            self.epochs = clock.epochs
            epoch += 1
            if inner is None:
                self.stop = epoch
            elif self._keep(inner, epoch):
                break
        if inner is None:
            self.best = [parameter.detach().clone() for parameter in self.parameters]

    def weights(self) -> Weights:
        """Return the best weights."""
        arrays = [parameter.cpu().numpy() for parameter in self.best]
        layers = tuple(zip(arrays[::2], arrays[1::2], strict=True))
        return Weights(layers, self.epochs, self.stop)

    def _step(self, optimiser: "_AdamW", rows: Any, clock: "_Clock") -> None:
        loss = self._losses(self._forward(self.x[rows], drops=self.settings.dropout > 0), self.goal[rows])
        loss = loss.mean() if self.weight is None else (loss * self.weight[rows]).mean()
        optimiser.step(self.torch.autograd.grad(loss, self.parameters), self.settings.rate * clock.height())
        clock.tick()

    def _keep(self, inner: tuple[Any, Any], epoch: int) -> bool:
        """Keep the weights if they are the best so far; say whether to end."""
        with self.torch.no_grad():
            parts = [
                self._losses(self._forward(x, drops=False), goal).sum()
                for x, goal in zip(inner[0].split(CHUNK), inner[1].split(CHUNK), strict=True)
            ]
        loss = float(sum(parts)) / len(inner[0])
        if loss < self.lowest:
            self.lowest, self.stop = loss, epoch
            self.best = [parameter.detach().clone() for parameter in self.parameters]
        return epoch - self.stop > max(3, PATIENCE * self.epochs)

    def _forward(self, x: Any, *, drops: bool) -> Any:
        functional = self.torch.nn.functional
        pairs = list(zip(self.parameters[::2], self.parameters[1::2], strict=True))
        for place, (matrix, shift) in enumerate(pairs[:-1]):
            given = x
            x = functional.silu(self.torch.addmm(shift, given, matrix))
            if drops:
                x = x * self._mask(len(x))
            if self.settings.residual and place:
                x = x + given
        return self.torch.addmm(pairs[-1][1], x, pairs[-1][0])

    def _masks(self) -> Any:
        """Return rows of what is dropped out; drawing them anew each step would take a fifth of the time."""
        kept = 1.0 - self.settings.dropout
        rows = MASKS * self.settings.batch
        return (self.torch.rand(rows, self.settings.width) < kept).to(self.torch.float32).div(kept).to(self.device)

    def _mask(self, rows: int) -> Any:
        start = int(self.draw.integers(0, len(self.masks) - rows + 1))
        return self.masks[start : start + rows]

    def _losses(self, raw: Any, goal: Any) -> Any:
        functional = self.torch.nn.functional
        if self.settings.outputs > 1:
            return functional.cross_entropy(raw, goal, reduction="none")
        if goal.dtype == self.torch.int64:
            return functional.binary_cross_entropy_with_logits(raw[:, 0], goal.to(raw.dtype), reduction="none")
        return functional.mse_loss(raw[:, 0], goal, reduction="none")

    def _tensor(self, values: NDArray[Any]) -> Any:
        kind = np.int64 if values.dtype.kind in "iu" else np.float32
        return self.torch.from_numpy(np.array(values, kind)).to(self.device)


class _AdamW:
    """Steps along gradients (Loshchilov, Hutter 2019, "Decoupled weight decay regularization").

    torch's own loads its compiler when it is made, which takes a second or more in each process of a search.
    """

    def __init__(self, torch: Any, parameters: list[Any], decay: float) -> None:
        self.torch = torch
        self.parameters = parameters
        self.decay = decay
        self.first = [torch.zeros_like(parameter) for parameter in parameters]
        self.second = [torch.zeros_like(parameter) for parameter in parameters]
        self.steps = 0

    def step(self, gradients: tuple[Any, ...], rate: float) -> None:
        """Move the parameters, in place, against their gradients."""
        self.steps += 1
        first_share, second_share = 1 - FIRST_MOMENT**self.steps, 1 - SECOND_MOMENT**self.steps
        with self.torch.no_grad():
            for parameter, gradient, first, second in zip(
                self.parameters, gradients, self.first, self.second, strict=True
            ):
                parameter.mul_(1 - rate * self.decay)
                first.lerp_(gradient, 1 - FIRST_MOMENT)
                second.mul_(SECOND_MOMENT).addcmul_(gradient, gradient, value=1 - SECOND_MOMENT)
                size = second.sqrt().div_(second_share**0.5).add_(SMALLEST)
                parameter.addcdiv_(first, size, value=-rate / first_share)


class _Clock:
    """Counts steps, cuts the epochs to what fits before the deadline, and gives the rate's height."""

    def __init__(self, deadline: float | None, steps: int, epochs: int) -> None:
        self.deadline = deadline
        self.steps = steps
        self.epochs = epochs
        self.done = 0
        self.began = time.monotonic()

    def tick(self) -> None:
        """Count a step."""
        self.done += 1
        if self.deadline is None:
            return
        now = time.monotonic()
        if self.done == 1:
            self.began = now  # the first step also prepares kernels
        elif self.done == min(TIMED, 2 * self.steps):
            each = (now - self.began) / (self.done - 1)
            fitting = 0.95 * (self.deadline - now) / each + self.done
            self.epochs = max(1, min(self.epochs, int(fitting / self.steps)))

    def is_late(self) -> bool:
        """Say whether the deadline has passed."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    def height(self) -> float:
        """Return the share of the highest rate: a straight rise, then a cosine's fall."""
        progress = min(1.0, self.done / max(1, self.steps * self.epochs))
        if progress < WARM:
            return max(progress / WARM, 0.02)
        return float(0.5 + 0.5 * np.cos(np.pi * (progress - WARM) / (1 - WARM)))


def _start(torch: Any, features: int, settings: NetSettings, device: Any) -> list[Any]:
    """Return a matrix and a shift for each layer, at random; the last is small, so that first answers are too."""
    parameters = []
    widths = [features] + [settings.width] * settings.layers + [settings.outputs]
    for place, (given, gives) in enumerate(pairwise(widths)):
        size = LAST if place == settings.layers else GAIN
        parameters += [torch.randn(given, gives) * (size / given**0.5), torch.zeros(gives)]
    return [parameter.to(device).requires_grad_() for parameter in parameters]
