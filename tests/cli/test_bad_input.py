"""Everything that can be wrong with what a user gives: a sentence and an exit code for each.

A row names what is arranged, the command, its exit code, and the sentence it must say.
"""

from __future__ import annotations

import shlex
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from tests.cli.commands import SPEC


@dataclass(frozen=True)
class Bad:
    """One bad input.

    Args:
        name: of the test.
        command: words after ``thalweg``.
        sentence: what must stand in the error, after ``Error: ``.
        code: the exit code.
        replace: parts of the spec, and what they are replaced by.
        files: other files by name.
    """

    name: str
    command: str
    sentence: str
    code: int = 2
    replace: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str | bytes] = field(default_factory=dict)


ADAM = "adam = { learning_rate = [0.01, 0.1] }"


def spec(name: str, sentence: str, old: str, new: str, code: int = 2) -> Bad:
    """Something wrong in the spec."""
    return Bad(name, "plan spec.toml", sentence, code, replace={old: new})


def rate(name: str, sentence: str, value: str) -> Bad:
    """Something wrong with a number of adam."""
    return spec(name, f"spec.toml:13: {sentence}", ADAM, f"adam = {{ learning_rate = {value} }}")


def table(name: str, sentence: str, text: str | bytes, target: str = "y") -> Bad:
    """Something wrong with a table given as data."""
    command = f"run --data table.csv --target {target}"
    return Bad(name, command, sentence, 1, files={"table.csv": text})


def option(name: str, command: str, sentence: str) -> Bad:
    """Something wrong with the words of a command."""
    return Bad(name, command, sentence)


def images(name: str, sentence: str, held: bytes) -> Bad:
    """Something wrong with a file of images."""
    names = "train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"
    files = {f"idx/{name}-ubyte": held for name in names}
    return Bad(name, "plan spec.toml --set data.mnist.folder=idx", sentence, 1, files=files)


ROWS = "".join(f"{i},{i % 7}.5\n" for i in range(30))
HUGE = "--set compare.seeds.tune=1000 --set optimizer.learning_rate='0.001..1 log 500'"
ONE_MILLION = "this plan has 1,000,000 runs, more than 10,000; add --yes to start it all the same"

TABLE = (
    # What a spec asks for.
    spec("unknown key", "spec.toml:16: Training has no field 'epoch'; did you mean 'epochs'?",
         "epochs", "epoch"),
    spec("unknown table", "spec.toml:15: Experiment has no field 'trainig'; did you mean 'train",
         "[training]", "[trainig]"),
    spec("unknown part", "spec.toml:13: there is no 'adma' among the optimizers; did you mean",
         "adam", "adma"),
    spec("wrong type", "spec.toml:16: Training.epochs must be a whole number, got 'many'",
         "epochs = 2", 'epochs = "many"'),
    spec("half an epoch", "spec.toml:16: Training.epochs must be a whole number, got 1.5",
         "epochs = 2", "epochs = 1.5"),
    spec("no epochs", "spec.toml:16: Training.epochs must be >= 1, got 0",
         "epochs = 2", "epochs = 0"),
    rate("out of range", "Adam.learning_rate must be >= 0, got -1", "-1"),
    rate("not a number", "Adam.learning_rate must be finite, got nan", "nan"),
    rate("infinity", "Adam.learning_rate must be finite, got inf", "inf"),
    rate("empty list", "Adam.learning_rate must have at least one value to try, got an", "[]"),
    rate("range upside down", "range 1..0.1 log 3 must run upwards, from the lower value to the hi",
         '"1..0.1 log 3"'),
    rate("range from zero", "range 0..1 log 3 must be > 0 throughout to be spaced by ratios (log)",
         '"0..1 log 3"'),
    rate("range of words", 'a range must look like "0.001..1 log 7" or "0..0.9 linear 4", got',
         '"low..high log 3"'),
    spec("range without count", 'names no number of values; write e.g. "0.1..1 log 7"',
         "[0.01, 0.1] }\n\n[training]", '"0.1..1 log" }\n\n[training]'),
    spec("metric that does not exist", "Compare.metric must be one of train.loss, train.accuracy, "
         "validation.loss, validation.accuracy, test.loss, test.accuracy, got 'test.f1'",
         "\ntune", '\nmetric = "test.f1"\ntune'),
    spec("factor that does not vary", "Compare.factor must be something that varies (optimizer, "
         "optimizer.learning_rate), got 'network'", '"optimizer"', '"network"'),
    spec("tuned number that does not vary", "Compare.tune must name numbers that vary, got 'beta1'",
         '["learning_rate"]', '["beta1"]'),
    spec("zero seeds", "spec.toml:22: Seeds.report must be >= 1 and <= 1000, got 0",
         "report = 2", "report = 0"),
    spec("loss of another task", "SquaredError fits regression tasks, but the data of Moons are bi",
         "[training]", "[loss]\nsquared_error = {}\n\n[training]"),
    spec("penalty on no layer", "L2.layers must name some of dense_0, dense_1, got 'dense_9'",
         "[training]", '[regularizers]\nl2 = { layers = ["dense_9"] }\n\n[training]'),
    spec("another probe", "probe_also must be one of 'input_shift', 'state_gradient' or none, got",
         "epochs = 2", 'epochs = 2\nprobe_also = "output_shift"'),
    spec("too small to split", "rows is too small to hold every class in every part",
         "samples = 40", "samples = 4", code=1),
    spec("not TOML", "spec.toml:15: not valid TOML: ", "[training]", "[training"),
    spec("no data", "spec.toml: Experiment.data is required",
         "[data]\nmoons = { samples = 40, noise = 0.1 }", ""),
    Bad("nothing to compare", "compare plain.toml", "the spec asks for no comparison; add a "
             "[compare] table", files={"plain.toml": "[data]\nmoons = {}\n"}),
    Bad("million runs", f"run spec.toml {HUGE}", ONE_MILLION),
    Bad("metric on a split without rows", "plan spec.toml --set data.moons.split=[0.7,0,0.3] "
        "--set compare.metric=validation.loss", "Compare.metric must be one of train.loss, "
        "train.accuracy, test.loss, test.accuracy, got 'validation.loss'"),
    Bad("tuning on one row", "plan spec.toml --set data={six_points={}}", "tuning chooses by "
        "validation.r2, which says nothing of 1 row; give validation a larger share of data.split, "
        'or write metric = "train.loss"'),
    # Files of specs.
    option("missing spec", "plan other.toml", "other.toml does not exist; give the path of a spec"),
    Bad("empty spec", "plan e.toml", "e.toml is empty; a spec needs at", files={"e.toml": ""}),
    Bad("binary spec", "plan e.toml", "e.toml is not UTF-8 text", files={"e.toml": b"\xff\xfe"}),
    Bad("folder as spec", "plan e.toml", "e.toml is a folder; give the", files={"e.toml/x": ""}),
    # Options.
    option("bad --set", "plan spec.toml --set epochs", "an override must look like path=value"),
    option("unknown --set", "plan spec.toml --set training.epoch=1", "Training has no field"),
    option("bad value of --set", "plan spec.toml --set training.epochs=no", "must be a whole"),
    option("unknown command", "rnu spec.toml", "there is no command 'rnu'; did you mean 'run'?"),
    option("unknown subcommand", "data lst", "there is no command 'lst'; did you mean 'list'?"),
    option("foreign command", "xyzzy", "there is no command 'xyzzy'; there are run, plan, "),
    option("unknown option", "plan spec.toml --sett a=b", "No such option '--sett'. Did you mean"),
    option("unknown format", "export spec.toml --to x --format xls", "'xls' is not one of"),
    option("missing argument", "show", "Missing argument 'PART'"),
    option("missing option", "export spec.toml", "Missing option '--to'"),
    option("no spec, no data", "run", "give a spec file, or a table with --data FILE --target COL"),
    option("target alone", "run spec.toml --target y", "--target names a column of the file given"),
    option("data alone", "run --data spec.toml", "--data spec.toml needs --target COLUMN"),
    option("missing data", "run --data t.csv --target y", "--data t.csv does not exist, or is not"),
    option("folder as data", "run --data . --target y", "--data . does not exist, or is not a"),
    option("unknown part to show", "show adm", "there is no part 'adm'; did you mean 'adam'?"),
    option("foreign part to show", "show xyzzy", "there is no part 'xyzzy'; `thalweg list` names"),
    option("unknown family", "list optimiser", "there is no family 'optimiser'; did you mean 'opt"),
    option("unknown data", "data fetch cifar", "only mnist can be fetched, got 'cifar'; see `thal"),
    # Tables.
    table("empty table", "table.csv is empty", ""),
    table("no rows", "table.csv has no rows below its header", "x,y\n"),
    table("missing target", "table.csv has no column 'z'; it can be x, y", "x,y\n" + ROWS, "z"),
    table("one class", "target 'y' is 'a' in every row: there is nothing to predict",
          "x,y\n" + "1,a\n2,a\n" * 9),
    table("words among numbers", "column 'x' holds numbers except in row 1 ('oops'); correct these",
          "x,y\noops,1.5\n" + ROWS),
    table("infinite input", "column 'x' holds numbers that are infinite or beyond 3.4e38 in row 1",
          "x,y\ninf,1.5\n" + ROWS),
    table("infinite target", "column 'y' holds numbers that are infinite or beyond 3.4e38 in row 1",
          "x,y\n1,inf\n" + ROWS),
    table("only NaN", "column 'x' holds no values at all; leave it out with drop = ['x']",
          "x,w,y\n" + "nan,1,2.5\n,3,4.5\n" * 9),
    table("target all NaN", "target 'y' holds no values at all", "x,y\n" + "1,nan\n2,\n" * 9),
    table("ragged rows", "table.csv is not a well-formed table: ", "x,y\n1\n2,3,4\n"),
    table("another encoding", "column 'x' is not text in UTF-8; save the file with that encoding",
          "x,y\nä,1\n".encode("latin-1") * 9),
    table("another delimiter", "its only column is 'x;y': is the delimiter right?", "x;y\n1;2\n"),
    table("a name in each row", "column 'x' holds 80 distinct texts, and each would become",
          "x,y\n" + "".join(f"n{i},{i}.5\n" for i in range(80))),
    Bad("foreign Parquet", "run --data t.parquet --target y", "t.parquet is not a Parquet file, or",
        1, files={"t.parquet": "hello"}),
    # Images.
    images("empty IDX", "idx/train-images-idx3-ubyte is empty", b""),
    images("foreign IDX", "is not an IDX file: it begins with '47 49 46 38'", b"GIF89a" * 99),
    images("truncated IDX", "is truncated: its header promises (60000, 28, 28) values",
           struct.pack(">IIII", 2051, 60_000, 28, 28) + bytes(99)),
    Bad("no IDX", "plan spec.toml --set data.mnist.folder=nowhere", "get them with `thalweg data",
        1),
    # Records.
    *(
        Bad(f"{command.split()[0]} without record", f"{command} --project none",
            "none holds no record; run an experiment with `thalweg run SPEC --project none`", 1)
        for command in ("compare spec.toml", "report spec.toml", "export spec.toml --to x")
    ),
    *(
        Bad(f"{command} of a damaged record", f"{command} spec.toml --project broken",
            "broken/record.sqlite is damaged or is not a database", 1,
            files={"broken/record.sqlite": "no database " * 99})
        for command in ("run", "plan", "compare", "report")
    ),
)  # fmt: skip


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name)
def test_bad_input(bad, thalweg, tmp_path):
    text = SPEC
    for old, new in bad.replace.items():
        assert text.count(old) >= 1
        text = text.replace(old, new)
    (tmp_path / "spec.toml").write_text(text)
    for name, held in bad.files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(held if isinstance(held, bytes) else held.encode())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    ran = thalweg(*shlex.split(bad.command))

    assert (ran.code, ran.out) == (bad.code, "")
    assert bad.sentence in ran.err
    assert ran.err.splitlines()[-1].startswith("Error: ")
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
