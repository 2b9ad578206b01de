"""Spec files: what they may say, and for all else one sentence with file, line and remedy."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.spec.random_specs import RUBBISH, damaged, experiments

from thalweg.catalogue.activations import LeakyReLU
from thalweg.catalogue.clipping import ClipByValue
from thalweg.catalogue.losses import Hinge
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam, GradientDescent, Momentum, RMSProp
from thalweg.catalogue.preprocessing import MinMax
from thalweg.catalogue.regularizers import L1, L2
from thalweg.catalogue.schedules import CosineDecay, Warmup
from thalweg.data import CSV, Circles, Moons
from thalweg.errors import SpecError
from thalweg.laboratory import Laboratory
from thalweg.part import Range, declarations
from thalweg.spec import Compare, EarlyStopping, Experiment, Seeds, Training
from thalweg.spec.expand import expand
from thalweg.spec.merging import merge, parse_override
from thalweg.spec.text import from_data, parse, read_file, to_data

DATA = "[data]\nmoons = {}\n"
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))


def problems(text: str, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse(text, "s.toml", overrides)
    return list(caught.value.problems)


def optimizer(text: str) -> Any:
    return parse(DATA + f"[optimizer]\n{text}", "s.toml").optimizer


# ------------------------------------------------------------------------------------------- sound


def test_a_file_is_the_tree_of_parts_written_down(tmp_path: Path) -> None:
    text = """
        question = "Which is best?"   # asked first
        loss = "hinge"
        seeds = 4

        [data]
        moons = { samples = 200, noise = [0.1, 0.2], split = [0.7, 0, 0.3] }

        [network.mlp]
        hidden = [[32, 16], [], [8]]
        activation = { leaky_relu = {} }
        dropout = ["none", 0.5]

        [[optimizer]]
        gradient_descent = { learning_rate = "0.001..1 log 4" }

        [[optimizer]]
        [optimizer.adam]
        learning_rate = { warmup = { after = "cosine_decay", length = 5 } }

        [regularizers]
        l1 = {}
        l2 = { strength = 1 }

        [preprocessing]
        min_max = { low = -1 }

        [training]
        epochs = 3
        batch_size = [1, "full"]
        clipping = { clip_by_value = { limit = 2 } }
        early_stopping = {}
        evaluate_every = "none"

        [compare]
        factor = "optimizer"
        tune = ["learning_rate"]
        seeds = { report = 12 }
    """
    (tmp_path / "spec.toml").write_text(text, encoding="utf-8")
    assert Experiment.from_file(tmp_path / "spec.toml") == Experiment(
        question="Which is best?",
        loss=Hinge(),
        seeds=4,
        data=Moons(samples=200, noise=[0.1, 0.2], split=(0.7, 0.0, 0.3)),
        network=MLP(hidden=[(32, 16), (), (8,)], activation=LeakyReLU(), dropout=[None, 0.5]),
        optimizer=[
            GradientDescent(learning_rate=Range(0.001, 1, "log", 4)),
            Adam(learning_rate=Warmup(after=CosineDecay(), length=5)),
        ],
        regularizers=(L1(), L2(strength=1)),
        preprocessing=MinMax(low=-1),
        training=Training(
            epochs=3,
            batch_size=[1, "full"],
            clipping=ClipByValue(limit=2),
            early_stopping=EarlyStopping(),
        ),
        compare=Compare(factor="optimizer", tune=("learning_rate",), seeds=Seeds(report=12)),
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_read(path: Path) -> None:
    assert isinstance(read_file(path), Experiment)


@pytest.mark.parametrize("text", ["adam = {}", '"adam" = {}', "", "[optimizer.adam]"])
def test_a_part_with_defaults_alone(text: str) -> None:
    assert optimizer(text) == Adam() if text else parse(DATA, "s").optimizer == Adam()
    assert parse('optimizer = "adam"\ndata = "moons"', "s") == Experiment(data=Moons())


def test_nothing_is_written_none() -> None:
    text = '[optimizer]\nrmsprop = { momentum = "none" }\n'
    text += '[data.csv]\npath = "a"\ntarget = "b"\ntask = "none"'
    read = parse('loss = "none"\nregularizers = "none"\npreprocessing = "none"\n' + text, "s")
    assert read == Experiment(data=CSV(path="a", target="b"), optimizer=RMSProp())


def test_a_mark_for_the_order_of_bytes_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_bytes(b"\xef\xbb\xbfdata = 'moons'\r\n[training]\r\nepochs = 1\r\n")
    assert read_file(tmp_path / "s.toml").training == Training(epochs=1)


# ------------------------------------------------------------------------------------------- wrong


def test_all_problems_are_told_at_once() -> None:
    text = """\
questoin = "?"
seeds = 0
[data]
mons = {}
[network.mlp]
hidden = [
  32,
  "16",
]
activation = "rellu"
dropot = 0.5
dropout = 1.5
[[optimizer]]
adam = { learning_rate = -1, beta1 = "big" }
[[optimizer]]
adam = { learning_rate = [0.1, 0, -2] }
[training]
epochs = 1.5
"""
    assert problems(text) == [
        "s.toml:1: Experiment has no field 'questoin'; did you mean 'question'?",
        "s.toml:2: Experiment.seeds must be >= 1 and <= 1000, got 0",
        "s.toml:4: there is no 'mons' among the data; did you mean 'moons'?",
        "s.toml:6: MLP.hidden must be a tuple of whole numbers, got (32, '16')",
        "s.toml:10: there is no 'rellu' among the activations; did you mean 'relu'?",
        "s.toml:11: MLP has no field 'dropot'; did you mean 'dropout'?",
        "s.toml:12: MLP.dropout must be >= 0 and < 1, got 1.5",
        "s.toml:14: Adam.learning_rate must be >= 0, got -1",
        "s.toml:14: Adam.beta1 must be a number, got 'big'",
        "s.toml:16: Adam.learning_rate must be >= 0, got -2",
        "s.toml:18: Training.epochs must be a whole number, got 1.5",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        # keys
        ("[training]\nepoch = 5", "4: Training has no field 'epoch'; did you mean 'epochs'?"),
        ("[trainig]\nepochs = 5", "3: Experiment has no field 'trainig'; did you mean 'training'?"),
        ("[optimizer]\nadam = { rho = 1 }", "4: Adam has no field 'rho'; rmsprop has it"),
        (
            "[optimizer]\nadm = {}",
            "4: there is no 'adm' among the optimizers; did you mean 'adam'?",
        ),
        ("[compare]\nmargin = 1", "3: Compare.factor is required"),
        # types
        ("[training]\nepochs = '5'", "4: Training.epochs must be a whole number, got '5'"),
        ("[training]\nepochs = true", "4: Training.epochs must be a whole number, got True"),
        (
            "[training]\nepochs = 2020-01-01",
            "4: Training.epochs must be a whole number, got datetime.",
        ),
        (
            "[training]\nbatch_size = 'ful'",
            "4: Training.batch_size must be a whole number or 'full', got",
        ),
        ("[optimizer]\nadam = { beta1 = true }", "4: Adam.beta1 must be a number, got True"),
        ("[optimizer]\nadam = { beta1 = '0.5' }", "4: Adam.beta1 must be a number, got '0.5'"),
        ("[optimizer]\nadam = 3", "4: optimizer.adam must be a table of fields, got 3"),
        (
            "[loss.hinge.x]\ny = 1",
            "3: Hinge has no field 'x'; it can be several",
        ),
        # bounds
        ("[optimizer]\nadam = { beta1 = 1.5 }", "4: Adam.beta1 must be >= 0 and < 1, got 1.5"),
        ("[optimizer]\nadam = { beta1 = nan }", "4: Adam.beta1 must be finite, got nan"),
        ("[optimizer]\nadam = { beta1 = -inf }", "4: Adam.beta1 must be finite, got -inf"),
        ("[training]\nepochs = 0", "4: Training.epochs must be >= 1, got 0"),
        ("[training]\nepochs = 9999999999999999999", "4: whole numbers must fit into 64 bits"),
        ("[training]\nepochs = 0x" + "f" * 5000, "4: whole numbers must fit into 64 bits"),
        (
            "[preprocessing]\nmin_max = { low = 1 }",
            "4: MinMax.high must be > MinMax.low, got 1 and 1",
        ),
        # lists
        (
            "[optimizer]\nadam = { beta1 = [] }",
            "4: Adam.beta1 must have at least one value to try, got an empty list",
        ),
        (
            "[training]\nepochs = [[1, 2], 3]",
            "4: Training.epochs must be a whole number, got [1, 2]",
        ),
        (
            "[network]\nmlp = { hidden = { a = 1 } }",
            "4: MLP.hidden must be a tuple of whole numbers, got {'a': 1}; one value",
        ),
        (
            "[network]\nmlp = { hidden = [[1, 2], 3] }",
            "4: MLP.hidden must be a tuple of whole numbers, got 3; one value",
        ),
        (
            "[regularizers]\nl2 = [1]",
            "4: regularizers.l2 must be a table of fields, got [1]",
        ),
        (
            "[optimizer]\nadam = {}\nmomentum = {}",
            "3: optimizer holds one part, got adam, momentum; for alternatives write one "
            "[[optimizer]] block each",
        ),
        (
            "[[compare]]\nfactor = 'a'\n[[compare]]\nfactor = 'b'",
            "3: compare must be one value for the whole experiment, got [",
        ),
        (
            "[compare]\nfactor = 'data.noise'\nmargin = [0, 1]",
            "5: compare.margin must be one value for the whole experiment, got [0.0, 1.0]",
        ),
        # ranges
        (
            "[optimizer]\nadam = { beta1 = '0.9..0 linear 3' }",
            "4: range 0.9..0 linear 3 must run upwards",
        ),
        (
            "[optimizer]\nadam = { beta1 = '0..0.9 log 3' }",
            "4: range 0..0.9 log 3 must be > 0 throughout",
        ),
        (
            "[optimizer]\nadam = { beta1 = '0..0.9 linear 0' }",
            "4: range 0..0.9 linear 0 must name at least 2",
        ),
        (
            "[optimizer]\nadam = { beta1 = '0..0.9 linear 1' }",
            "4: range 0..0.9 linear 1 must name at least 2",
        ),
        (
            "[optimizer]\nadam = { beta1 = '0..0.9 9999999999' }",
            "4: range 0..0.9 linear 9999999999 must name at most",
        ),
        (
            "[optimizer]\nadam = { beta1 = '0..1.5 linear 3' }",
            "4: Adam.beta1 must be >= 0 and < 1, got 1.5",
        ),
        ("[optimizer]\nadam = { beta1 = '0..x' }", '4: a range must look like "0.001..1 log 7" or'),
        (
            "[optimizer]\nadam = { beta1 = ['0..0.9 3'] }",
            "4: Adam.beta1 must be a number, got '0..0.9 3'",
        ),
        (
            "[training]\nepochs = '1..10 linear 10'",
            "4: Training.epochs must be a whole number, got",
        ),
        # schedules
        (
            "[optimizer]\nadam = { beta1 = { cosine_decai = {} } }",
            "4: there is no 'cosine_decai' among the schedules; did you mean 'cosine_decay'?",
        ),
        (
            "[training]\ndiverged_above = 'cosine_decay'",
            "4: Training.diverged_above must be a number, got 'cosine_decay'",
        ),
        (
            "[network]\nmlp = { activation = { leaky_relu = { slope = ['step_decay', 1] } } }",
            "4: LeakyReLU.slope must be a number, got 'step_decay'",
        ),
        # cases and groups
        ("[[vary]]\noptimizer = { beta3 = 0 }", "4: Adam has no field 'beta3'; did you mean 'beta"),
        ("[[vary]]\n[vary.optimizer]\nrho = 0", "5: Adam has no field 'rho'; rmsprop has it"),
        (
            "[[vary]]\noptimiser = { beta1 = 0 }",
            "4: Recipe has no field 'optimiser'; did you mean 'optimizer'?",
        ),
        ("[[vary]]\noptimizer = { beta1 = 2 }", "4: Adam.beta1 must be >= 0 and < 1, got 2"),
        ("[[vary]]\noptimizer = { adam = { beta3 = 0 } }", "4: Adam has no field 'beta3'; did you"),
        ("[[vary]]\noptimizer = 'adm'", "4: there is no 'adm' among the optimizers; did you"),
        ("[[vary]]\nseeds = 3", "4: Recipe has no field 'seeds'; it can be data, loss,"),
        ("[[vary]]\nname = 'a'", "4: Recipe has no field 'name'; it can be data, loss"),
        ("[[vary]]\ntraining = 3", "4: training must be a table of fields, got 3"),
        (
            "[[vary]]\nregularizers = { strength = 1 }",
            "4: none of the regularizers here has a field 'strength'",
        ),
        (
            "[[cases]]\nname = 'a'\ntraining = { epoch = 1 }",
            "5: Training has no field 'epoch'; did",
        ),
        (
            "[[cases]]\nname = 'a'\ntraining = { epochs = 0 }",
            "5: Training.epochs must be >= 1, got 0",
        ),
        (
            "[[cases]]\ncompare = { factor = 'case' }",
            "4: Recipe has no field 'compare'; it can be data",
        ),
        ("[[cases]]\nname = 3", "4: the name of a case must be a text, got 3"),
        ("[[cases]]\nname = 'a'\n[[cases]]\nname = 'a'", "6: two cases are named 'a'"),
        ("[vary]\nloss = 'hinge'", "3: vary must be a list, got {'loss': 'hinge'}"),
        ("[cases]\nname = 'a'", "3: cases must be a list, got {'name': 'a'}"),
    ],
)
def test_one_problem_is_one_sentence_with_its_line(text: str, problem: str) -> None:
    (found,) = problems(DATA + text)
    assert found.startswith(f"s.toml:{problem}")
    assert "\n" not in found


@pytest.mark.parametrize(
    ("top", "problem"),
    [
        ("seeds = 0", "Experiment.seeds must be >= 1 and <= 1000, got 0"),
        ("seeds = [1, 2]", "seeds must be one value for the whole experiment, got [1, 2]"),
        ("question = ['a', 'b']", "question must be one value for the whole experiment"),
        (
            "optimizer = 5",
            "optimizer must name a part, got 5; `thalweg list optimizers` shows them",
        ),
        ("optimizer = {}", "optimizer must name a part, got {}; `thalweg list optimizers` shows"),
        (
            "optimizer = []",
            "Experiment.optimizer must have at least one value to try, got an empty",
        ),
        ("network = 'mpl'", "there is no 'mpl' among the networks; did you mean 'mlp'?"),
        ("network = 'none'", "there is no 'none' among the networks; it can be "),
        ("training = 'long'", "training must be a table of fields, got 'long'"),
        ("regularizers = 5", "regularizers must be a table of parts, got 5"),
        ("vary = 5", "vary must be a list, got 5"),
        ("vary = [5]", "vary must hold tables of changes, got 5"),
        ("cases = ['a']", "cases must hold tables of changes, got 'a'"),
        ("zip = 5", "zip must be a list, got 5"),
        ("zip = ['a']", "zip must hold lists of paths, such as [[a, b]], got 'a'"),
        ("zip = [[1]]", "zip must hold lists of paths, such as [[a, b]], got (1,)"),
        ("question = " + "[" * 60 + "]" * 60, "a spec is nested at most 40 deep"),
    ],
)
def test_problems_at_the_top(top: str, problem: str) -> None:
    (found,) = problems(f"{top}\n{DATA}")
    assert found.startswith(f"s.toml:1: {problem}")


@pytest.mark.parametrize(
    ("group", "problem"),
    [
        ('"training.epochs"', "1: at least two paths are zipped together, got ['training.epochs']"),
        (
            '"training.epochs", "data.nois"',
            "1: zip: 'data.nois' is no path to a list; did you mean 'data.noise'?",
        ),
        ('"training.epochs", "training.epochs"', "1: zip names 'training.epochs' twice"),
        (
            '"training.epochs", "data.noise"',
            "1: zipped lists must be equally long, got training.epochs with 2, "
            "data.noise with 3 values",
        ),
    ],
)
def test_zips_name_lists_of_one_length(group: str, problem: str) -> None:
    text = "[data]\nmoons = { noise = [0, 1, 2] }\n[training]\nepochs = [1, 2]"
    assert problems(f"zip = [[{group}]]\n{text}") == [f"s.toml:{problem}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "s.toml is empty; a spec needs at least a [data] table"),
        (" \n\t\n", "s.toml is empty; a spec needs at least a [data] table"),
        ("# later", "s.toml: Experiment.data is required"),
        ("a = 1\nb = ", "s.toml:2: not valid TOML: "),
        ("a = 1\nb = [1,", "s.toml:2: not valid TOML: "),
        ("a = 1\na = 2", "s.toml:2: not valid TOML: "),
        ("[data]\n[training]\n[data]", "s.toml:3: not valid TOML: "),
        ("seeds = " + "9" * 5000, "s.toml holds a number with more digits than can be read"),
        ("a = " + "[" * 5000 + "]" * 5000, "s.toml holds lists nested deeper than any spec is"),
    ],
)
def test_a_text_that_is_no_spec(text: str, problem: str) -> None:
    (found,) = problems(text)
    assert found.startswith(problem)
    assert found == problem or problem.endswith("TOML: ")


def test_a_path_that_is_no_file_of_text(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes('question = "größe"'.encode("latin-1"))
    for name, problem in [
        ("absent.toml", "absent.toml does not exist; give the path of a spec file"),
        (".", " is a folder; give the path of a spec file"),
        ("latin.toml", "latin.toml is not UTF-8 text (byte 15); save it as UTF-8"),
        ("latin.toml/x", " cannot be read: Not a directory"),
    ]:
        with pytest.raises(SpecError) as caught:
            Experiment.from_file(tmp_path / name)
        assert str(caught.value).endswith(problem)


@pytest.mark.parametrize(
    ("compare", "problem"),
    [
        ('factor = "optimizer"', "Compare.factor must be something that varies (data.noise), got"),
        (
            'factor = "data.noise"\ntune = ["beta1"]',
            "Compare.tune must name numbers that vary, got",
        ),
        (
            'factor = "data.noise"\nmetric = "test.acuracy"',
            "Compare.metric must be one of train.loss, train.accuracy, ",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_in_the_plan(compare: str, problem: str) -> None:
    text = f"[data]\nmoons = {{ samples = 20, noise = [0.1, 0.2] }}\n[compare]\n{compare}"
    with pytest.raises(SpecError) as caught:
        Laboratory(parse(text, "s")).plan()
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize(
    ("made", "number"),
    [
        (Experiment(data=Moons(noise=CosineDecay())), "Moons.noise"),
        (
            Experiment(
                data=Moons(),
                optimizer=[Adam(), Adam(learning_rate=CosineDecay(final=[1, CosineDecay()]))],
            ),
            "CosineDecay.final",
        ),
        (
            Experiment(data=Moons(), network=MLP(activation=[LeakyReLU(slope=CosineDecay())])),
            "LeakyReLU.slope",
        ),
        (
            Experiment(data=Moons(), compare=Compare(factor="a", margin=CosineDecay())),
            "Compare.margin",
        ),
    ],
)
def test_schedules_stand_where_training_follows_them(made: Experiment, number: str) -> None:
    with pytest.raises(SpecError) as caught:
        expand(made)
    problem = f"{number} must stay the same during training, so it cannot be CosineDecay"
    assert str(caught.value) == problem


def test_problems_of_python_name_the_block() -> None:
    made = Experiment(data=Moons(), vary=({}, {"optimizer": {"beta1": 2}}))
    with pytest.raises(SpecError, match=r"^vary 2: Adam.beta1 must be >= 0 and < 1, got 2$"):
        made.laboratory().points  # noqa: B018


# --------------------------------------------------------------------------------------- overrides


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("training.epochs=5", ("training", "epochs"), 5),
        ("training . epochs = 5 ", ("training", "epochs"), 5),
        (
            "optimizer.learning_rate=0.001..1 log 4",
            ("optimizer", "learning_rate"),
            "0.001..1 log 4",
        ),
        ("network.activation=tanh", ("network", "activation"), "tanh"),
        ('a."b.c"=[1, "x"]', ("a", "b.c"), [1, "x"]),
        ('question=why = "so"?\\', ("question",), 'why = "so"?\\'),
        ("data={ csv = { path = 'a=b' } }", ("data",), {"csv": {"path": "a=b"}}),
        ("a=", ("a",), ""),
    ],
)
def test_an_override_is_a_path_and_a_value(
    override: str, path: tuple[str, ...], value: Any
) -> None:
    found: Any = parse_override(override)
    for name in path:
        ((key, found),) = found.items()
        assert key == name
    assert found == value


SPEC = """\
[data]
moons = { noise = 0.2, samples = 50 }
[[optimizer]]
adam = { learning_rate = 0.1 }
[[optimizer]]
momentum = { learning_rate = 0.2, momentum = 0.8 }
[training]
epochs = 9
[[vary]]
training = { epochs = 3 }
"""


@pytest.mark.parametrize(
    ("override", "changes"),
    [
        ("training.epochs=5", {"training": Training(epochs=5)}),
        ("seeds=7", {"seeds": 7}),
        ("data.noise=0.5", {"data": Moons(noise=0.5, samples=50)}),
        ("data.moons.noise=0.5", {"data": Moons(noise=0.5, samples=50)}),
        ("data.circles.noise=0.5", {"data": Circles(noise=0.5)}),
        ("network.dropout=0.5", {"network": MLP(dropout=0.5)}),
        ("network.activation.leaky_relu.slope=1", {"network": MLP(activation=LeakyReLU(slope=1))}),
        (
            "optimizer.learning_rate=1",
            {"optimizer": [Adam(learning_rate=1), Momentum(learning_rate=1, momentum=0.8)]},
        ),
        (
            "optimizer.adam.beta1=0.5",
            {
                "optimizer": [
                    Adam(learning_rate=0.1, beta1=0.5),
                    Momentum(learning_rate=0.2, momentum=0.8),
                ]
            },
        ),
        ("optimizer=rmsprop", {"optimizer": RMSProp()}),
        ("optimizer.rmsprop={}", {"optimizer": RMSProp()}),
        ("regularizers.l2.strength=1", {"regularizers": (L2(strength=1),)}),
        (
            "training.clipping.clip_by_value.limit=3",
            {"training": Training(epochs=9, clipping=ClipByValue(limit=3))},
        ),
        ("compare.factor=optimizer", {"compare": Compare(factor="optimizer")}),
        ("vary=[]", {"vary": ()}),
    ],
)
def test_overrides_change_what_the_file_says(override: str, changes: dict[str, Any]) -> None:
    plain = {name: getattr(parse(SPEC, "s"), name) for name in declarations(Experiment)}
    assert parse(SPEC, "s", (override,)) == Experiment(**{**plain, **changes})


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("training.epochs", "an override must look like path=value, got 'training.epochs'"),
        ("=5", "an override must look like path=value, got '=5'"),
        ("training epochs=5", "override 'training epochs=5': 'training epochs' is no path such as"),
        ("training.epoch=5", "override 'training.epoch=5': Training has no field 'epoch'; did you"),
        (
            "optimizer.momentum=0.5",
            "override 'optimizer.momentum=0.5': Adam has no field 'momentum'",
        ),
        ("data.turns=1", "override 'data.turns=1': Moons has no field 'turns'; spirals has it"),
        ("training.epochs=0", "override 'training.epochs=0': Training.epochs must be >= 1, got 0"),
        ("optimizer.learning_rate=-1", "override 'optimizer.learning_rate=-1': Adam.learning_rate"),
        ("training=3", "override 'training=3': training must be a table of fields, got 3"),
        (
            "seeds=many",
            "override 'seeds=many': Experiment.seeds must be a whole number, got 'many'",
        ),
    ],
)
def test_an_override_that_cannot_be_is_the_place_of_its_problem(
    override: str, problem: str
) -> None:
    assert problems(SPEC, override)[0].startswith(problem)


def test_all_overrides_that_cannot_be_are_told_at_once() -> None:
    assert len(problems(SPEC, "training.epoch=1", "seeds=2", "data.mons=1")) == 2


def test_merging_leaves_its_arguments_alone() -> None:
    base = {"data": {"moons": {"noise": 0.1}}}
    merged = merge(Experiment, base, {"data": {"noise": 0.5}, "seeds": 2})
    assert merged == {"data": {"moons": {"noise": 0.5}}, "seeds": 2}
    assert base == {"data": {"moons": {"noise": 0.1}}}


# ----------------------------------------------------------------------------------- whatever else

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@FUZZ
@given(st.data())
def test_damaged_data_are_an_experiment_or_a_spec_error(data: st.DataObject) -> None:
    sound = to_data(data.draw(experiments() | st.just(parse(SPEC, "s"))), data.draw(st.booleans()))
    for _ in range(data.draw(st.integers(1, 3))):
        sound = data.draw(damaged(sound))
    _read(sound, ())


@FUZZ
@given(RUBBISH, st.lists(st.text("abc.=[]{}\"' 1", max_size=9), max_size=2))
def test_rubbish_is_an_experiment_or_a_spec_error(data: Any, overrides: list[str]) -> None:
    _read(data, tuple(overrides))


def test_damaged_texts_are_an_experiment_or_a_spec_error() -> None:
    random = Random(0)
    pieces = [*"[]{}=,\"'#\n .ab1_-\\", '"""', "'''", "[[", "]]", "\r\n"]
    for _ in range(1500):
        text = list(SPEC)
        for _ in range(random.randint(1, 3)):
            at = random.randrange(len(text))
            text[at : at + random.randint(0, 1)] = random.choice(["", *pieces])
        try:
            assert isinstance(parse("".join(text), "s"), Experiment)
        except SpecError as error:
            message = str(error)
        else:
            continue
        assert all(line.startswith(("s:", "s ")) for line in message.split("\n"))


def _read(data: Any, overrides: tuple[str, ...]) -> None:
    found: Any = None
    try:
        found = from_data(data, None, overrides)
    except SpecError as error:
        found = error.problems
    sentences = isinstance(found, tuple) and all(p and "\n" not in p for p in found)
    assert isinstance(found, Experiment) or (found and sentences)
