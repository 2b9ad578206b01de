"""Losses on hidden layers, beside the loss on the outputs."""

from __future__ import annotations

from collections.abc import Mapping

from jax import Array

from thalweg.catalogue.losses.entropies import CategoricalCrossEntropy
from thalweg.catalogue.losses.loss import Loss
from thalweg.errors import SpecError
from thalweg.part import Number, choice, number, part
from thalweg.tasks import Task

__all__ = ["DeepSupervision"]


@part
class DeepSupervision:
    """Attaches a loss to a hidden layer, beside the loss on the outputs.

    Formula: ℓ + weight · ℓ_h, ℓ_h the loss of the values h at a tap;
        ∂/∂h = Σ_j W_hj ∂ℓ/∂z_j + weight · ∂ℓ_h/∂h, and by the pre-activation Φ′(a) times that
    Numbers: weight: of the loss on the hidden layer
    Choices: final: ℓ, the loss on the outputs; hidden: ℓ_h; tap: name of the hidden values, such as
        ``activation_0.a``, or ``head.z`` of an AuxiliaryHead
    Shapes: those of ``final`` for the outputs, of ``hidden`` for the tap; both get the targets
    Watch for: recorded losses are of ``final`` alone. The tap must be as wide as ``hidden`` wants
        outputs; an AuxiliaryHead makes it so. Texts that print Φ for Φ′ lost a prime.
    Source: Lee, Xie, Gallagher, Zhang & Tu, Deeply-Supervised Nets, 2015, equation 3
    Example:
        >>> import jax.numpy as jnp
        >>> loss = DeepSupervision(tap="dense_0.z", weight=0.5)
        >>> loss.attached({"dense_0.z": jnp.array([[0.0, 2.0]])}, jnp.array([1])).round(4)
        Array([0.0635], dtype=float32)
    """

    final: Loss = choice(default=CategoricalCrossEntropy())
    hidden: Loss = choice(default=CategoricalCrossEntropy())
    tap: str = choice(default="head.z")
    weight: Number = number(default=0.3, low=0, search=(0, 1))

    @property
    def tasks(self) -> tuple[Task, ...]:
        return tuple(task for task in self.final.tasks if task in self.hidden.tasks)

    def __call__(self, outputs: Array, targets: Array) -> Array:
        return self.final(outputs, targets)

    def attached(self, taps: Mapping[str, Array], targets: Array) -> Array:
        """What is added to the loss of every example while training."""
        return self.weight * self.hidden(taps[self.tap], targets)

    def check_taps(self, shapes: Mapping[str, tuple[int, ...]], targets: int) -> None:
        """Refuse a tap that is not there, or not as wide as its loss needs.

        Args:
            shapes: of the values at every tap of the network, for one example.
            targets: classes, or numbers to be predicted.
        """
        if self.tap not in shapes:
            raise SpecError(
                f"DeepSupervision.tap must be one of {', '.join(shapes)}, got {self.tap!r}"
            )
        wanted = self.hidden.outputs(targets)
        if shapes[self.tap] != (wanted,):
            raise SpecError(
                f"DeepSupervision.tap must name values of shape ({wanted},) for "
                f"{type(self.hidden).__name__}, got {self.tap!r} of shape {shapes[self.tap]}; an "
                f"AuxiliaryHead reads such values from any layer"
            )

    def outputs(self, targets: int) -> int:
        return self.final.outputs(targets)

    def probabilities(self, outputs: Array) -> Array:
        return self.final.probabilities(outputs)
