"""Both games of a GAN, against a loop with two optimizers in PyTorch, in double precision."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from thalweg.catalogue import draws
from thalweg.catalogue.activations import Tanh
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.losses import Adversarial, Wasserstein
from thalweg.catalogue.networks import GAN, MLP
from thalweg.catalogue.networks.gan import SCORES, _drawn
from thalweg.catalogue.networks.generation import generate
from thalweg.catalogue.optimizers import Adam, ByLayer, RMSProp
from thalweg.errors import SpecError

KEY = jax.random.key(0)
ROWS, CODE, STEPS = 16, 3, 50


@pytest.fixture(autouse=True)
def _double() -> Any:
    with jax.enable_x64(True):
        yield


def network(outputs: int = 4, **changes: Any) -> GAN:
    players = {
        "generator": MLP(hidden=(6,), activation=Tanh()),
        "discriminator": MLP(hidden=(7, 5), activation=Tanh()),
    }
    return GAN(**{**players, **changes}, code=CODE, outputs=outputs)


class Player(torch.nn.Module):
    """The same layers, with the same weights."""

    def __init__(self, held: Any) -> None:
        super().__init__()
        self.layers = torch.nn.ParameterList()
        for layer in held.values():
            for name in ("kernel", "bias"):
                self.layers.append(torch.nn.Parameter(torch.tensor(np.asarray(layer[name]))))

    def forward(self, x: Any) -> Any:
        weights = list(self.layers)
        for i in range(0, len(weights), 2):
            x = x @ weights[i] + weights[i + 1]
            x = x if i + 2 == len(weights) else torch.tanh(x)
        return x


def slopes(critic: Any, between: Any) -> Any:
    between = between.detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return ((slope.norm(dim=1) - 1) ** 2).mean()


def losses(form: str, critic: Any, real: Any, made: Any, between: Any) -> tuple[Any, Any]:
    """Of the discriminator and of the generator, as their papers have them."""
    if form == "wasserstein":
        apart = critic(made.detach()).mean() - critic(real).mean()
        return apart + 5.0 * slopes(critic, between), -critic(made).mean()
    cross = torch.nn.functional.binary_cross_entropy_with_logits
    on, off = torch.ones(ROWS, 1).double(), torch.zeros(ROWS, 1).double()
    told = cross(critic(real), on) + cross(critic(made.detach()), off)
    if form == "minimax":
        return told, -cross(critic(made), off)
    return told, cross(critic(made), on)


LOSSES = {
    "minimax": Adversarial(form="minimax"),
    "non_saturating": Adversarial(),
    "wasserstein": Wasserstein(penalty=5.0),
}


@pytest.mark.parametrize("form", LOSSES)
def test_fifty_steps_are_those_of_two_optimizers_in_torch(form: str) -> None:
    loss, every = LOSSES[form], 5 if form == "wasserstein" else 1
    gan = network(loss.outputs(0))
    data = np.random.default_rng(0).normal(size=(STEPS, ROWS, 2))
    start = gan.init(KEY, jnp.asarray(data[0])).parameters
    start = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), start)
    rule = ByLayer(
        layers=("generator",),
        inner=Adam(learning_rate=0.01, beta1=0.5),
        every=every,
        others=RMSProp(learning_rate=0.003, rho=0.9, epsilon=1e-7),
    )

    @jax.jit
    def step(parameters: Any, state: Any, x: Any, count: Any) -> Any:
        def objective(at: Any) -> Any:
            outputs, _ = gan.apply(Variables(at, {}), x, context)
            return loss(outputs, jnp.zeros((ROWS, 0))).mean(), None

        context = Context("train", jax.random.fold_in(KEY, count))
        taken = rule.step(objective, parameters, state, count)
        # Torch is given what was drawn here.
        shares = _drawn(draws.uniform, x, context.within("between"), (1,), 0)
        return taken.parameters, taken.state, taken.value, gan._codes(x, context, 0), shares

    parameters, state = start, rule.start(start)
    maker, critic = Player(start["generator"]), Player(start["discriminator"])
    of_maker = torch.optim.Adam(maker.parameters(), lr=0.01, betas=(0.5, 0.999))
    of_critic = torch.optim.RMSprop(critic.parameters(), lr=0.003, alpha=0.9, eps=1e-7)
    for count in range(1, STEPS + 1):
        x = data[count - 1]
        parameters, state, value, *drawn = step(parameters, state, jnp.asarray(x), count)
        codes, shares = (torch.tensor(np.asarray(numbers)) for numbers in drawn)
        real, made = torch.tensor(x), maker(codes)
        between = shares * real + (1 - shares) * made
        told, misled = losses(form, critic, real, made, between)
        of_critic.zero_grad()
        told.backward(retain_graph=True)
        for_critic = [w.grad.clone() for w in critic.parameters()]
        of_maker.zero_grad()
        misled.backward()
        for weight, slope in zip(critic.parameters(), for_critic, strict=True):
            weight.grad = slope  # the other game reached the critic too
        of_critic.step()
        if count % every == 0:
            of_maker.step()
        assert float(value) == pytest.approx(float((told + misled).detach()), rel=1e-8)
    for name, player in (("generator", maker), ("discriminator", critic)):
        ours = [parameters[name][layer][k] for layer in start[name] for k in ("kernel", "bias")]
        for one, other in zip(ours, player.parameters(), strict=True):
            np.testing.assert_allclose(one, other.detach(), rtol=1e-6, atol=1e-9)


def test_in_evaluation_no_row_depends_on_another() -> None:
    gan = network(5)
    x = jnp.asarray(np.random.default_rng(1).normal(size=(6, 2)))
    variables = gan.init(KEY, x)
    together, _ = gan.apply(variables, x, Context("evaluate"))
    other = x.at[3:].set(0)
    apart, _ = gan.apply(variables, other[1:], Context("evaluate", jax.random.key(5)))
    np.testing.assert_allclose(apart[:2], together[1:3], rtol=1e-9)
    np.testing.assert_allclose(together[:, 1], together[:, 2])
    assert len(np.unique(np.asarray(together[:, 1]).round(6))) == 6


def test_the_energy_of_rows_is_that_of_distributions() -> None:
    """E‖x − g‖ − ½ E‖g − g′‖, over many samples, and smallest where they are spread like data."""
    random = np.random.default_rng(2)
    x = jnp.asarray(random.normal(size=(4000, 2)))
    gan = network()
    variables = gan.init(KEY, x)
    outputs, _ = gan.apply(variables, x, Context("evaluate"))
    found = float(outputs[:, SCORES.index("energy")].mean())
    made = np.asarray(gan.samples(variables, jax.random.key(3), 1500, x))
    expected = cdist(x[:1500], made).mean() - cdist(made, made).mean() / 2
    assert found == pytest.approx(expected, abs=0.03)
    assert made.shape == (1500, 2)


def test_samples_come_in_the_shape_of_the_inputs() -> None:
    gan, image = network(), jnp.ones((1, 4, 3, 2))
    made = gan.samples(gan.init(KEY, image), KEY, 5, image)
    assert made.shape == (5, 4, 3, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator": MLP(outputs=3)}, r"GAN\.generator must give 2 numbers, .* got .batch, 3."),
        ({"discriminator": MLP(outputs=2)}, r"GAN\.discriminator must give one score, got"),
    ],
)
def test_players_that_do_not_fit_are_refused(changes: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        network(**changes).init(KEY, jnp.ones((1, 2)))


def test_a_network_without_codes_makes_no_samples() -> None:
    plain = MLP(hidden=(3,), outputs=2)
    variables = plain.init(KEY, jnp.ones((1, 2)))
    with pytest.raises(SpecError, match="MLP makes no samples: that takes a GAN"):
        generate(plain, variables, KEY, 3, jnp.ones((1, 2)))


def test_a_gan_needs_a_key_in_training() -> None:
    x = jnp.ones((2, 2))
    with pytest.raises(ValueError, match="GAN needs a key"):
        network().apply(network().init(KEY, x), x, Context("train"))
