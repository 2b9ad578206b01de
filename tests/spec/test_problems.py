"""What is wrong with a spec: one sentence each, with file, line and remedy, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.spec.texts import DATA, problems

from thalweg.catalogue.activations import LeakyReLU
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam
from thalweg.catalogue.schedules import CosineDecay
from thalweg.data import Moons
from thalweg.errors import SpecError
from thalweg.laboratory import Laboratory
from thalweg.spec import Compare, Experiment
from thalweg.spec.expand import expand
from thalweg.spec.text import parse


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
        (
            "[optimizer]\nadam = { rho = 1 }",
            "4: Adam has no field 'rho'; adadelta, rmsprop have it",
        ),
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
            "3: Hinge has no field 'x'; it can be derivative_at_kink, several",
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
        (
            "[[vary]]\n[vary.optimizer]\nrho = 0",
            "5: Adam has no field 'rho'; adadelta, rmsprop have it",
        ),
        (
            "[[vary]]\noptimiser = { beta1 = 0 }",
            "4: Recipe has no field 'optimiser'; did you mean 'optimizer'?",
        ),
        ("[[vary]]\noptimizer = { beta1 = 2 }", "4: Adam.beta1 must be >= 0 and < 1, got 2"),
        ("[[vary]]\noptimizer = { adam = { beta3 = 0 } }", "4: Adam has no field 'beta3'; did you"),
        ("[[vary]]\noptimizer = 'adm'", "4: there is no 'adm' among the optimizers; did you"),
        ("[[vary]]\nseeds = 3", "4: Recipe has no field 'seeds'; it can be augmentation, data,"),
        ("[[vary]]\nname = 'a'", "4: Recipe has no field 'name'; it can be augmentation, data"),
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
            "4: Recipe has no field 'compare'; it can be augmentation",
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
