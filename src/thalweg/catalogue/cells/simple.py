"""Simple cells: one weighted sum and one activation a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import jax
from jax import Array

from thalweg.catalogue.activations import Activation, Identity, Tanh
from thalweg.catalogue.cells.cell import State, StepContext, check_activation, drawn, projected
from thalweg.catalogue.context import Context
from thalweg.catalogue.initializers import Glorot, Initializer, Orthogonal, Zero
from thalweg.catalogue.products import product
from thalweg.errors import SpecError
from thalweg.part import choice, part

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
        in the place of o_{t−1} while training
    Choices: outputs: width of o; activation: f; output_activation: g; fed: with its own ``outputs``
        or, while training, with ``targets``, which are then the last ``outputs`` features of every
        input (y_{t−1} beside x_t); kernel: where U and V start; recurrent_kernel: where W starts;
        bias: where b and c start, none without
    Shapes: inputs [batch, input], state output [batch, outputs]; U [input, unit], W [outputs,
        unit], V [unit, outputs]
    Watch for: outputs are all it remembers, so it can do less than RNN. Fed with targets (teacher
        forcing) no step waits for another and no gradient crosses a step; in evaluation the target
        features are ignored and it runs free on what it gave out itself, which it never met before.
    Source: Jordan, Serial Order, 1986; Williams & Zipser, A Learning Algorithm for Continually
        Running Fully Recurrent Neural Networks, 1989 (teacher forcing); Goodfellow, Bengio &
        Courville, Deep Learning, 2016, figures 10.4 and 10.6
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
    kernel: Initializer = choice(default=Glorot())
    recurrent_kernel: Initializer = choice(default=Glorot())
    bias: Initializer | None = choice(default=Zero())
    gates = ("hidden",)

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
        z = product(x[..., :inputs], parameters["input_kernel"])
        if self._is_taught(context):
            z = z + product(x[..., inputs:], parameters["recurrent_kernel"])
        return z

    def step(self, step: StepContext, projected: Array, state: State) -> State:
        z = projected
        if not self._is_taught(step.context):
            z = z + step.product("recurrent", state["output"])
        hidden = step.tap("hidden", self.activation(z))
        z = hidden @ step.parameters["readout"]
        if self.bias is not None:
            z = z + step.parameters["readout_bias"]
        return {"output": step.tap("output", self.output_activation(z))}

    def _is_taught(self, context: Context) -> bool:
        return self.fed == "targets" and context.mode == "train"
