"""Simple cells: one weighted sum and one activation a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue import draws
from thalweg.catalogue.activations import Activation, Identity, Tanh
from thalweg.catalogue.cells.cell import State, StepContext, check_activation, drawn, projected
from thalweg.catalogue.context import Context
from thalweg.catalogue.initializers import Glorot, Initializer, Orthogonal, Zero
from thalweg.catalogue.products import product
from thalweg.errors import SpecError
from thalweg.part import Number, choice, number, part

__all__ = ["RNN", "JordanRNN"]


@part
class RNN:
    """Feeds the hidden values of a step to the next one.

    Formula: h_t = f(W h_{t−1} + U x_t + b), or h_t = W f(h_{t−1}) + U x_t + b
    Choices: activation: f; applied: ``after`` the weighted sum, or ``before`` it, to the last
        state; kernel: where U starts; recurrent_kernel: where W starts; bias: where b starts, none
        without
    Shapes: inputs [batch, input], state hidden [batch, unit]; U [input, unit], W [unit, unit]
    Watch for: the two forms are one network: with g_t = f(h_t) of the second, g_t = f(W g_{t−1} +
        U x_t + b), the first, if g_0 = f(h_0). The second gives out h, before the activation. A
        gradient over T steps is at most (γ ‖W‖)^T long, γ the largest slope of f (1 for tanh and
        ReLU): below 1 it vanishes; above 1 it may explode, and need not.
    Source: Elman, Finding Structure in Time, 1990; Goodfellow, Bengio & Courville, Deep Learning,
        2016, equations 10.8 and 10.9
    Example:
        >>> cell = RNN()
        >>> parameters = cell.draw(jax.random.key(0), inputs=3, units=2)
        >>> {name: held.shape for name, held in parameters.items()}
        {'input_kernel': (3, 2), 'recurrent_kernel': (2, 2), 'bias': (2,)}
    """

    activation: Activation = choice(default=Tanh())
    applied: Literal["after", "before"] = choice(default="after")
    kernel: Initializer = choice(default=Glorot())
    recurrent_kernel: Initializer = choice(default=Orthogonal())
    bias: Initializer | None = choice(default=Zero())
    gates = ("z",)

    project = projected

    def states(self, units: int) -> dict[str, int]:
        return {"hidden": units}

    def draw(self, key: Array, inputs: int, units: int) -> dict[str, Array]:
        check_activation(self, "activation", units)
        return drawn(self, key, inputs, units, {"recurrent": 1})

    def step(self, step: StepContext, projected: Array, state: State) -> State:
        last = state["hidden"]
        if self.applied == "before":
            last = self.activation(last)
        z = step.tap("z", projected + step.product("recurrent", last))
        return {"hidden": step.tap("hidden", self.activation(z) if self.applied == "after" else z)}


@part
class JordanRNN:
    """Feeds the output of a step, and nothing else, to the next one.

    Formula: h_t = f(W o_{t−1} + U x_t + b);  o_t = g(h_t V + c);  fed with targets, y_{t−1} stands
        in the place of o_{t−1} while training, but where a step is drawn to be fed o_{t−1}
    Numbers: sampling: rate at which, fed with targets, a step is drawn to be fed its own last
        output (scheduled sampling); never without
    Choices: outputs: width of o; activation: f; output_activation: g; fed: with its own ``outputs``
        or, while training, with ``targets``, which are then the last ``outputs`` features of every
        input (y_{t−1} beside x_t); kernel: where U and V start; recurrent_kernel: where W starts;
        bias: where b and c start, none without
    Shapes: inputs [batch, input], state output [batch, outputs]; U [input, unit], W [outputs,
        unit], V [unit, outputs]
    Watch for: outputs are all it remembers, so it can do less than RNN. Fed with targets (teacher
        forcing) no step waits for another and no gradient crosses a step; in evaluation the target
        features are ignored and it runs free on what it gave out itself, which it never met before;
        sampling, from near 0 up by a schedule, lets it meet that. Then steps wait for each other,
        and gradients go back through what was fed, as it is an output and not a draw: at rate 1
        training is that of ``outputs``.
    Source: Jordan, Serial Order, 1986; Williams & Zipser, A Learning Algorithm for Continually
        Running Fully Recurrent Neural Networks, 1989 (teacher forcing); Goodfellow, Bengio &
        Courville, Deep Learning, 2016, figures 10.4 and 10.6; Bengio, Vinyals, Jaitly & Shazeer,
        Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks, 2015, section
        2.4 (sampling)
    Example:
        >>> cell = JordanRNN(outputs=2)
        >>> parameters = cell.draw(jax.random.key(0), inputs=3, units=5)
        >>> parameters["recurrent_kernel"].shape, parameters["readout"].shape
        ((2, 5), (5, 2))
    """

    outputs: int = choice(default=1, low=1)
    activation: Activation = choice(default=Tanh())
    output_activation: Activation = choice(default=Identity())
    fed: Literal["outputs", "targets"] = choice(default="outputs")
    sampling: Number = number(default=None, low=0, high=1)
    kernel: Initializer = choice(default=Glorot())
    recurrent_kernel: Initializer = choice(default=Glorot())
    bias: Initializer | None = choice(default=Zero())
    gates = ("hidden",)

    def check(self) -> None:
        if self.sampling is not None and self.fed == "outputs":
            raise SpecError(
                'JordanRNN.sampling needs fed = "targets": fed with outputs, every step is fed its '
                "own"
            )

    def states(self, units: int) -> dict[str, int]:
        return {"output": self.outputs}

    def draw(self, key: Array, inputs: int, units: int) -> dict[str, Array]:
        check_activation(self, "activation", units)
        check_activation(self, "output_activation", self.outputs)
        if self.fed == "targets":
            inputs -= self.outputs
        if inputs < 1:
            raise SpecError(
                "JordanRNN.fed with targets needs inputs x_t beside y_{t−1}: more features than "
                f"the {self.outputs} outputs"
            )
        keys = jax.random.split(key, 5)
        parameters = {
            "input_kernel": self.kernel.sample(keys[0], (inputs, units)),
            "recurrent_kernel": self.recurrent_kernel.sample(keys[1], (self.outputs, units)),
            "readout": self.kernel.sample(keys[2], (units, self.outputs)),
        }
        if self.bias is not None:
            parameters["bias"] = self.bias.sample(keys[3], (units,))
            parameters["readout_bias"] = self.bias.sample(keys[4], (self.outputs,))
        return parameters

    def project(self, parameters: Mapping[str, Array], x: Array, context: Context) -> Array:
        inputs = len(parameters["input_kernel"])
        z = product(x[..., :inputs], parameters["input_kernel"], by_time=True)
        if self._is_taught(context):
            z = z + product(x[..., inputs:], parameters["recurrent_kernel"], by_time=True)
        return z

    def beside(self, x: Array, context: Context) -> tuple[Array, Array] | None:
        """The targets of all steps, and which steps are fed their own output instead."""
        if not self._is_sampled(context):
            return None
        key = context.within("sampling").key
        if key is None:
            raise ValueError("JordanRNN.sampling needs a key in training")
        # Single precision whatever the numbers, so that both draw the same.
        coins = draws.uniform(key, (*x.shape[:2], 1), jnp.float32)
        return x[..., x.shape[-1] - self.outputs :], coins < self.sampling

    def step(self, step: StepContext, projected: Array, state: State) -> State:
        z = projected
        if not self._is_taught(step.context):
            last = state["output"]
            if self._is_sampled(step.context):
                if step.beside is None:
                    raise SpecError(
                        "JordanRNN.sampling is of a recurrent layer; a decoder has its own, "
                        "EncoderDecoder.sampling"
                    )
                target, itself = step.beside
                last = jnp.where(itself, last, target)
            z = z + step.product("recurrent", last)
        hidden = step.tap("hidden", self.activation(z))
        z = hidden @ step.parameters["readout"]
        if self.bias is not None:
            z = z + step.parameters["readout_bias"]
        return {"output": step.tap("output", self.output_activation(z))}

    def _is_taught(self, context: Context) -> bool:
        """Whether every step is fed its target, so that none waits for another."""
        return self.fed == "targets" and context.mode == "train" and self.sampling is None

    def _is_sampled(self, context: Context) -> bool:
        return self.sampling is not None and context.mode == "train"
