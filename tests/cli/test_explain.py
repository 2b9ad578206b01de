"""The commands of ``explain``, as they are typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from thalweg.cli import main


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["explain", *words]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["explain", *words]) == 2
    told = capsys.readouterr()
    assert not told.out
    assert told.err.count("\n") == 1, told.err
    return told.err


def test_backprop(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "backprop", "cos(w**2) + sin(w**2)", "w=0.8")
    for expected in ("−0.955513", "1.28335", "0.327841", "= −2·w·sin(w²) + 2·w·cos(w²)"):
        assert expected in text
    assert max(map(len, text.splitlines())) <= 100


def test_backprop_as_data_and_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = {form: tmp_path / f"page.{form}" for form in ("html", "svg", "markdown")}
    options = [word for form, path in files.items() for word in (f"--{form}", str(path))]
    data = json.loads(said(capsys, "backprop", "relu(w*x)", "w=2", "x=3", "--json", *options))
    assert [value["name"] for value in data["values"]] == ["w", "x", "v1", "v2"]
    ways = data["gradients"]["w"]
    assert list(ways) == ["backward", "paths", "jax", "differences"]
    assert list(ways.values()) == pytest.approx([3, 3, 3, 3], rel=1e-10)
    assert data["paths"] == {"w": 1, "x": 1}
    assert "<math" in files["html"].read_text()
    assert "https://" not in files["html"].read_text().replace("https://www.w3.org", "")
    assert files["svg"].read_text().startswith("<svg")
    assert "$$" in files["markdown"].read_text()


def test_unfold(capsys: pytest.CaptureFixture[str]) -> None:
    folded = json.loads(said(capsys, "backprop", "gelu(w)", "w=1", "--json"))
    unfolded = json.loads(said(capsys, "backprop", "gelu(w)", "w=1", "--unfold", "--json"))
    assert [value["made_of"] for value in folded["values"]] == ["w", "gelu(w)"]
    assert len(unfolded["values"]) > 4


def test_a_layer_in_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "layer", "dense = { units = 2 }")
    for expected in ("v₁ = x W", "∂L/∂W = xᵀ ∂L/∂v₁", "differ\nfrom those of JAX by"):
        assert expected in text
    assert "Error: --inputs must be sizes" in refused(capsys, "layer", "flatten", "--inputs", "0")
    assert "there is no 'mlp' among the layers" in refused(capsys, "layer", "mlp")


def test_entries_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("layer", "dense = { units = 2 }", "--inputs", "3, 4", "--entries", "kernel")
    text = said(capsys, *words)
    after = text[text.index("kernel, gradient") :].splitlines()
    assert after[1].split() == ["0", "1"]
    assert [line.split()[0] for line in after[3:7]] == ["0", "1", "2", "3"]
    assert "there is no value 'v9' in the graph" in refused(capsys, *words[:-1], "v9")


def test_rates_epoch_by_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    both = "exponential_decay = { rate = 0.01 }, step_decay = { every = 5 }"
    first, second = json.loads(said(capsys, "schedule", both, "--epochs", "10", "--json"))[
        "schedules"
    ]
    assert first["values"][10] == pytest.approx(0.0904837, abs=5e-8)
    assert [second["values"][t] for t in (4, 5, 10)] == pytest.approx([0.1, 0.05, 0.025])
    plateau = "reduce_on_plateau = { patience = 3 }"
    heard = ("--epochs", "5", "--losses", "1, 0.8, 0.9, 0.8, 0.85", "--json")
    (only,) = json.loads(said(capsys, "schedule", plateau, *heard))["schedules"]
    assert only["values"] == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.1, 0.01])
    assert "give validation losses" in refused(capsys, "schedule", plateau)
    assert "manual follows what somebody does" in refused(capsys, "schedule", "manual")


def test_a_training_as_a_landscape(capsys: pytest.CaptureFixture[str]) -> None:
    small = ("training", "mlp = { hidden = [2] }", "--steps", "3")
    data = json.loads(said(capsys, *small, "--data", "moons = { samples = 20 }", "--json"))
    assert len(data["values"]) == len(data["coordinates"]) == 4
    assert data["values"][-1] < data["values"][0]
    refusal = refused(capsys, *small, "--optimizer", "gradient_descent = { learning_rate = 1e300 }")
    assert "gradient_descent diverged; a lower learning rate may hold it" in refusal
    assert "--data: there is no 'mons'" in refused(capsys, *small, "--data", "mons")


def test_a_race_as_a_moving_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("cairosvg", reason="the optional drawing library is not installed")
    path = tmp_path / "race.gif"
    said(capsys, "landscape", "bowl", "--steps", "5", "--gif", str(path))
    assert path.read_bytes().startswith(b"GIF8")
    refusal = refused(capsys, "landscape", "list", "--gif", str(path))
    assert "nothing moves in 'Landscapes'" in refusal


def test_a_kink_and_what_is_no_number_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(said(capsys, "backprop", "relu(w)", "w=0").split())
    assert "v1 = relu(w) has no derivative here" in text
    assert "the convention of JAX: 0 by w" in text
    text = " ".join(said(capsys, "backprop", "w * log(x)", "w=1", "x=-1").split())
    assert "v1 = log(x) is the first value that is not a number, made of x = −1" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("backprop", "__import__('os')", "w=1"), "there is no function '__import__'"),
        (("backprop", "w +", "w=1"), "is no expression"),
        (("backprop", "w*v", "w=1"), "no value for v"),
        (("backprop", "1 + 1"), "has no name in it"),
        (("update", "adma", "--gradient", "1"), "adma"),
        (("update", "adam"), "give --gradient"),
        (("update", "adam", "--gradient", "1, x"), "--gradient must be numbers"),
        (("update", "adam", "--gradient", "1", "--function", "x"), "give either"),
        (("conv", "3", "5"), "a window reaches over 5 cells, and there are 3"),
        (("pool", "0", "2"), "size must be >= 1, got 0"),
        (("normalization", "[[1, 2]"), "the tensor is no JSON"),
        (("normalization", "[1, 2]"), "must have the axes sample, channel and feature"),
        (("softmax-cross-entropy", "1, 2", "1"), "as many targets"),
        (("activation", "rleu"), "the nearest is 'relu'"),
        (("activation", "softmax"), "looks at several units together"),
        (("derivation", "rigde"), "the nearest is 'ridge'"),
        (("graph", "json"), "write MODULE:FUNCTION"),
        (("graph", "nothing_of_this_name:loss"), "there is no module 'nothing_of_this_name'"),
        (("graph", "json:nothing"), "json has no function 'nothing'"),
        (("network", "mlp = { hidden = [3] }", "--inputs", "0, 2"), "sizes from 1 on"),
        (("network", "mlp = { hidden = [3], outputs = 2 }", "--fold", "dnse"), "no part 'dnse'"),
    ],
)
def test_refused(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused(capsys, *words)


def test_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert "m̂" in said(capsys, "update", "adam,rmsprop", "--gradient", "1, 0.5, -0.2")
    text = said(capsys, "update", "newton", "--function", "x**2", "--start", "x=3", "--steps", "1")
    assert "−3" in text
    options = ("--stride", "2", "--padding", "1", "--filters", "5", "--channels", "3")
    assert "= 140" in said(capsys, "conv", "32", "3", *options)
    assert "14" in said(capsys, "pool", "28", "2")
    assert "155/144" in said(
        capsys,
        "normalization",
        "[[[1,3,2],[1,2,3]],[[3,3,2],[2,4,4]],[[4,2,2],[1,2,4]],[[3,3,2],[3,3,2]]]",
    )
    assert "0.689672" in said(capsys, "softmax-cross-entropy", "1, 2, -0.5", "0, 1, 0")
    assert "erfc" in said(capsys, "activation", "gelu")
    assert "ridge" in said(capsys, "derivation", "list")
    assert "Decoupled" in said(capsys, "recursions", "2, 3, 1", "--activation", "relu")
    text = said(capsys, "network", "mlp = { hidden = [2], outputs = 2 }")
    assert "dense_1.kernel" in text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("landscape", "list"), "rosenbrock"),
        (("landscape", "x**2 + 4*y**2", "--start", "x=4, y=1", "--steps", "5"), "adam"),
        (("viterbi",), "trellis"),
        (("beam", "--width", "3"), "greedy"),
        (("recurrent", "--steps", "2"), "step"),
        (("attention", "--causal"), "weight"),
        (("recursive", "((the cat) sat)"), "the"),
    ],
)
def test_sequences_and_landscapes(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], expected: str
) -> None:
    assert expected in said(capsys, *words).lower()


def test_a_function_of_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine_to_explain.py").write_text(
        "import jax.numpy as jnp\n"
        "def loss(w, x):\n    return jnp.sum((w * x - 1) ** 2)\n"
        "arguments = (2.0, jnp.arange(3.0))\n"
    )
    monkeypatch.chdir(tmp_path)
    data = json.loads(said(capsys, "graph", "mine_to_explain:loss", "--json"))
    assert data["gradients"]["w"]["backward"] == 2 * (1 * 1 + 2 * 3)


def test_importing_costs_nothing() -> None:
    code = (
        "import sys, thalweg.explain; "
        "sys.exit(any(name in sys.modules for name in ('jax', 'numpy', 'sympy', 'scipy')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_what_fails_in_ones_own_function_is_told_with_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import jax.numpy as jnp\narguments = (jnp.ones(3),)\n\n\ndef loss(w):\n"
    (tmp_path / "mine_that_fails.py").write_text(code + "    return w @ jnp.ones(4)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    refusal = refused(capsys, "graph", "mine_that_fails:loss")
    assert "mine_that_fails:loss fails, line 6: TypeError: " in refusal


def test_names_are_no_modules() -> None:
    import thalweg.explain

    folder = Path(thalweg.explain.__file__).parent
    modules = {path.stem for path in folder.iterdir()}
    assert modules.isdisjoint(thalweg.explain.__all__)
