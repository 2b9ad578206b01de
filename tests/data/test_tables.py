"""Tables: what columns become, how the task is inferred, and one sentence for each bad input.

The oracles are Python's own ``csv`` module, scikit-learn's encoder, and the values written.
"""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import math
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder

from thalweg.data import CSV, Parquet
from thalweg.errors import DataError, SpecError


@pytest.fixture
def table(tmp_path):
    """Write a text and make its source; ``load(text, target="y", …)``."""

    def source(text, target="y", **fields):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return CSV(path=str(path), target=target, **fields)

    return source


@pytest.fixture
def parquet(tmp_path):
    def source(columns, target="y", **fields):
        path = tmp_path / "table.parquet"
        made = columns if isinstance(columns, pa.Table) else pa.table(columns)
        pyarrow.parquet.write_table(made, path)
        return Parquet(path=str(path), target=target, **fields)

    return source


def refused(source, *sentences):
    with pytest.raises(DataError) as error:
        source.load()
    for sentence in sentences:
        assert sentence in str(error.value)
    assert "\n" not in str(error.value)


# ------------------------------------------------------------------------------- what becomes what


def test_numbers_texts_booleans_and_missing_cells(table):
    data = table("age,sex,smoker,y\n22,f,true,1.5\n,m,false,2\n35.5,,true,0.25\n").load()
    assert data.feature_names == (
        *("age", "sex=f", "sex=m", "sex=(missing)"),
        *("smoker=false", "smoker=true"),
    )
    expected = [[22, 1, 0, 0, 0, 1], [math.nan, 0, 1, 0, 1, 0], [35.5, 0, 0, 1, 0, 1]]
    np.testing.assert_array_equal(data.inputs, expected)
    assert data.targets.tolist() == [[1.5], [2], [0.25]]
    assert data.notes == (
        "task: regression, because target 'y' has 3 distinct values that are numbers",
        "column 'age' lacks 1 of 3 values",
        "column 'sex' became 3 columns of 0 and 1, one for each distinct value",
        "column 'smoker' became 2 columns of 0 and 1, one for each distinct value",
    )


cell = st.one_of(st.none(), st.floats(-1e6, 1e6, width=32), st.integers(-1000, 1000))
word = st.one_of(
    st.none(), st.sampled_from(["red", "green", "blå", "a,b", 'say "x"', "two\nlines"])
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(cell, word, st.floats(-10, 10, width=32)), min_size=2, max_size=30),
    delimiter=st.sampled_from(",;\t|"),
)
def test_any_table_comes_back_as_written(table, rows, delimiter):
    numbers, words, answers = zip(*rows, strict=True)
    if len({*answers}) == 1 or not any(words) or all(n is None for n in numbers):
        return  # refused, and tested below
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["number", "word", "y"])
    writer.writerows(rows)
    data = table(text.getvalue(), delimiter=delimiter, task="regression").load()
    kept = np.array([math.nan if n is None else n for n in numbers], np.float32)
    np.testing.assert_array_equal(data.inputs[:, 0], kept)
    np.testing.assert_array_equal(data.targets[:, 0], np.array(answers, np.float32))
    # "~" sorts behind the words, as the missing category comes last.
    filled = np.array([[w or "~"] for w in words])
    theirs = OneHotEncoder(sparse_output=False).fit_transform(filled)
    np.testing.assert_array_equal(data.inputs[:, 1:], theirs)


def test_rows_without_a_target_are_left_out_and_said_so(table):
    data = table("x,y\n1,a\n2,\n3,b\n4,NA\n5,a\n").load()
    assert data.inputs.ravel().tolist() == [1, 3, 5]
    assert data.targets.tolist() == [0, 1, 0]
    assert "target 'y' is missing in rows 2 and 4: left out of the data" in data.notes


def test_columns_drop_and_categorical(table):
    text = "id,zip,x,y\n1,10,0.5,a\n2,9,0.6,b\n3,10,0.7,a\n"
    assert table(text, columns=("x", "zip")).load().feature_names == ("x", "zip")
    assert table(text, drop=("id", "x")).load().feature_names == ("zip",)
    coded = table(text, columns=("zip",), categorical=("zip",)).load()
    assert coded.feature_names == ("zip=9", "zip=10")
    assert coded.inputs.tolist() == [[0, 1], [1, 0], [0, 1]]


def test_delimiter_byte_order_mark_and_compression(tmp_path, table):
    assert table("x;y\n1;2,5\n3;4,5\n1;2,5\n3;4,5\n", delimiter=";").load().features == 1
    assert table("\ufeffx,y\n1,2\n2,3\n").load().feature_names == ("x",)
    path = tmp_path / "packed.csv.gz"
    path.write_bytes(gzip.compress(b"x,y\n1,2.5\n2,3.5\n"))
    assert CSV(path=str(path), target="y").load().targets.ravel().tolist() == [2.5, 3.5]


def test_a_number_with_a_point_far_down_makes_the_column_no_text(table):
    # The reader infers types by blocks of 1 MB; this column changes its type after three of them.
    rows = 400_000
    data = table("x,y\n" + "7,1.5\n" * rows + "0.5,2.5\n").load()
    assert data.inputs[-1, 0] == 0.5
    assert data.rows == rows + 1


def test_parquet_types(parquet):
    columns = {
        "int8": pa.array([1, None, 3, 4], pa.int8()),
        "half": pa.array(np.array([1, 2, np.nan, 4], np.float16)),
        "big": pa.array([2**60, 1, 2, 3], pa.uint64()),
        "money": pa.array(["1.25", "2.50", None, "0.01"]).cast(pa.decimal128(10, 2)),
        "large": pa.array(["a", "b", None, "a"], pa.large_string()),
        "coded": pa.array(["u", "v", "u", None]).dictionary_encode(),
        "zip": ["0100", "0200", "0100", "0100"],
        "flag": [True, None, False, True],
        "y": pa.array([0.0, 1.0, math.nan, 1.0]),
    }
    data = parquet(columns).load()
    # Row 3 has no target. A text that looks like a number stays a text: its type says so.
    assert data.feature_names == (
        *("int8", "half", "big", "money", "large=a", "large=b", "coded=u", "coded=v"),
        *("coded=(missing)", "zip=0100", "zip=0200", "flag=true", "flag=(missing)"),
    )
    expected = [
        [1, 1, 2**60, 1.25, 1, 0, 1, 0, 0, 1, 0, 1, 0],
        [math.nan, 2, 1, 2.5, 0, 1, 0, 1, 0, 0, 1, 0, 1],
        [4, 4, 3, 0.01, 1, 0, 0, 0, 1, 1, 0, 1, 0],
    ]
    np.testing.assert_array_equal(data.inputs, np.array(expected, np.float32))
    assert (data.task, data.class_names) == ("binary", ("0", "1"))
    assert data.targets.tolist() == [0, 1, 1]


def test_codes_that_are_missing_are_a_category(parquet):
    codes = pa.array([1.0, math.nan, 12.0, None])
    data = parquet({"code": codes, "y": [1.5, 2.5, 0, 1]}, categorical=("code",)).load()
    assert data.feature_names == ("code=1", "code=12", "code=(missing)")
    assert data.inputs.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]]


# ---------------------------------------------------------------------------------------- the task


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["yes", "no", "yes"], "binary", ("no", "yes")),
        (["true", "false", "true"], "binary", ("false", "true")),
        ([0, 1, 1, 0], "binary", ("0", "1")),
        ([-1, 1, 1], "binary", ("-1", "1")),
        (["setosa", "b", "c"] * 2, "multiclass", ("b", "c", "setosa")),
        ([10, 9, 1] * 5, "multiclass", ("1", "9", "10")),
        ([1.0, 2.0, 3.0] * 5, "multiclass", ("1", "2", "3")),
        ([1, 2, 3] * 4, "regression", ()),  # fewer than five rows a value
        (list(range(20)) * 5, "multiclass", tuple(map(str, range(20)))),
        (list(range(21)) * 5, "regression", ()),
        ([0.5, 1.5, 1.5, 0.5] * 5, "regression", ()),
    ],
)
def test_the_task_follows_from_the_target(table, values, task, classes):
    data = table("x,y\n" + "".join(f"{i},{v}\n" for i, v in enumerate(values))).load()
    assert (data.task, data.class_names) == (task, classes)
    if classes:
        assert [data.class_names[t] for t in data.targets] == [
            f"{v:g}" if isinstance(v, float) else str(v) for v in values
        ]
    assert len(data.notes) == 1
    said = {"binary": "binary classification", "multiclass": "multiclass classification"}
    distinct = len({*values})
    assert data.notes[0].startswith(
        f"task: {said.get(task, task)}, because target 'y' has {distinct} distinct values"
    )


def test_the_task_can_be_said(table):
    text = "x,y\n" + "".join(f"{i},{i % 3}\n" for i in range(30))
    assert table(text).load().task == "multiclass"
    said = table(text, task="regression").load()
    assert (said.task, said.notes, said.targets[2].tolist()) == ("regression", (), [2])
    halves = "x,y\n1,0.5\n2,1.5\n3,0.5\n"
    assert table(halves, task="binary").load().class_names == ("0.5", "1.5")


# --------------------------------------------------------------------------------------- bad input


def test_no_file(tmp_path):
    for cls in (CSV, Parquet):
        refused(cls(path="nowhere/t.csv", target="y"), "there is no file nowhere/t.csv (looked in")
        refused(cls(path=str(tmp_path), target="y"), f"{tmp_path} is a folder, not a file")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "table.csv is empty"),
        ("\n\n", "table.csv is not a well-formed table"),
        ("x,y\n", "table.csv has no rows below its header"),
        ("x,y\n1,2\n3\n", "table.csv is not a well-formed table: CSV parse error: Expected"),
        ("x,y,x\n1,2,3\n", "table.csv has more than one column named 'x'"),
        ("x,why\n1,2\n", "table.csv has no column 'y'; "),
        ("a;b;y\n1;2;3\n", "no column 'y'; its only column is 'a;b;y': is the delimiter right?"),
        (
            ",".join(f"x{i}" for i in range(99)) + "\n",
            "table.csv has no column 'y'; it has 99 others",
        ),
        ("y\n1\n2\n", "table.csv has no column to predict 'y' from"),
        ("x,y\n1,a\n2,a\n", "target 'y' is 'a' in every row: there is nothing to predict"),
        ("x,y\n1,3.5\n2,3.5\n", "target 'y' is '3.5' in every row: there is nothing to predict"),
        ("x,y\n1,\n2,NA\n", "target 'y' holds no values at all"),
        (
            "x,z,y\n1,,2\n2,NA,3\n",
            "column 'z' holds no values at all; leave it out with drop = ['z",
        ),
        ("x,z,y\n1,,2\n2,5,\n3,,4\n", "column 'z' holds no values at all; leave it out with drop"),
        ("x,z,y\n1,,2\n2,b,\n3,,4\n", "column 'z' holds no values at all; leave it out with drop"),
        (
            "x,y\n1,2\ninf,3\n-inf,4\n",
            "column 'x' holds numbers that are infinite or beyond 3.4e38 in rows 2 and 3; correct",
        ),
        (
            "x,y\n1,2\n1e39,3\n",
            "column 'x' holds numbers that are infinite or beyond 3.4e38 in row 2",
        ),
        (
            "x,y\n1,2\n2,inf\n",
            "column 'y' holds numbers that are infinite or beyond 3.4e38 in row 2",
        ),
        (
            "born,y\n2020-01-01,2\n2020-01-02,3\n",
            "column 'born' holds date32[day], which is neither numbers nor texts; turn it into "
            "numbers, or leave it out with drop = ['born']",
        ),
        ("x,y\n1,2020-01-01 10:00:00\n2,2021-01-01 10:00:00\n", "column 'y' holds timestamp[s]"),
        ("x,y\nå,2\nb,3\n".encode("latin1"), "column 'x' is not text in UTF-8; save the file with"),
        ("å,y\n1,2\n2,3\n".encode("latin1"), "is not text in UTF-8; save it with that encoding"),
        (
            "x,y\n" + "".join(f"{i},name {i}\n" for i in range(9)),
            "target 'y' has 9 distinct values in 9 rows, too many to be classes",
        ),
        (
            "x,y\n" + "".join(f"{i},{i if i != 3 else 'three'}\n" for i in range(9)),
            "column 'y' holds numbers except in row 4 ('three'); correct these cells, leave them "
            'empty (missing), or say task = "multiclass"',
        ),
    ],
)
def test_a_csv_that_cannot_be_used_is_refused_in_one_sentence(table, text, sentence):
    refused(table(text), sentence)


def test_a_missing_column_is_refused_with_the_nearest_name(table):
    text = "age,height,survived\n1,2,3\n"
    source = table(text, target="surived")
    refused(source, "table.csv has no column 'surived'; did you mean 'survived'?")
    for field in ("columns", "drop", "categorical"):
        refused(
            table(text, "survived", **{field: ("hight",)}), "no column 'hight'; did you mean 'he"
        )


def test_words_among_numbers_are_refused_with_their_rows(table):
    cells = [str(i) for i in range(100)]
    cells[2] = cells[16] = "unknown"
    cells[70] = "?"
    text = "age,y\n" + "".join(f"{c},{i / 7}\n" for i, c in enumerate(cells))
    refused(
        table(text),
        "column 'age' holds numbers except in rows 3, 17 and 71 ('?', 'unknown'); correct these "
        "cells, leave them empty (missing), or list the column in categorical = ['age']",
    )


def test_rows_are_those_of_the_file_even_where_some_are_left_out(table):
    text = "x,y\n1,\n2,5\n3,6\n4,7\noops,8\n6,9.5\n"
    refused(table(text), "column 'x' holds numbers except in row 5 ('oops')")
    refused(table(text.replace("oops", "inf")), "beyond 3.4e38 in row 5")


def test_many_rows_are_counted_rather_than_listed(table):
    cells = ["word" if i % 10 == 0 else str(i) for i in range(120)]
    text = "x,y\n" + "".join(f"{c},{i / 7}\n" for i, c in enumerate(cells))
    refused(table(text), "except in rows 1, 11, 21, 31, 41 and 7 more ('word')")


def test_a_few_numbers_among_words_are_categories(table):
    data = table("dependents,y\n" + "0,1.5\n1,2.5\n3+,0\n3+,1\n").load()
    assert data.feature_names == ("dependents=0", "dependents=1", "dependents=3+")
    mostly = "x,y\n" + "0,1.5\n1,2.5\n1,0\n1,9\n3+,1\n"
    refused(table(mostly), "categorical = ['x']")
    assert table(mostly, categorical=("x",)).load().feature_names == ("x=0", "x=1", "x=3+")


def test_texts_with_too_many_values_are_refused(table):
    def text(count):
        return "ticket,y\n" + "".join(f"no {i},{i / 7}\n" for i in range(count))

    refused(
        table(text(51)),
        "column 'ticket' holds 51 distinct texts, and each would become a column of its own; at "
        "most 50 may: leave it out with drop = ['ticket']",
    )
    assert table(text(50)).load().features == 50


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        ("binary", "target 'y' has 3 distinct values, so the task cannot be binary"),
        ("regression", "target 'y' holds texts, so the task cannot be regression"),
    ],
)
def test_a_task_that_the_target_does_not_allow_is_refused(table, task, sentence):
    refused(table("x,y\n1,a\n2,b\n3,c\n", task=task), sentence)


@pytest.mark.parametrize("packing", ["gz", "bz2", "zst", "lz4"])
def test_a_packed_table_that_is_damaged_is_refused(packing, tmp_path):
    path = tmp_path / f"table.csv.{packing}"
    with pa.output_stream(path) as stream:
        stream.write(b"x,y\n1,2\n3,4\n" * 20)
    path.write_bytes(path.read_bytes()[:10] + b"\xff" * 10)
    with pytest.raises(DataError, match=rf"csv\.{packing} is not a well-formed table"):
        CSV(path=str(path), target="y").load()


@pytest.mark.parametrize("words", [b"blue", b"kind"], ids=["cells", "names"])
def test_texts_of_a_parquet_file_are_utf_8(words, parquet):
    source = parquet({"kind": ["blue", "red", "blue"], "y": [1.5, 2.5, 3.5]})
    path = Path(source.path)
    path.write_bytes(path.read_bytes().replace(words, b"\x80" + words[1:]))
    with pytest.raises(DataError, match=r"is not text in UTF-8|or is damaged"):
        source.load()


def test_a_file_of_another_kind_is_no_parquet_file(tmp_path):
    path = tmp_path / "t.parquet"
    for content in (b"", b"x,y\n1,2\n", b"PAR1" + b"\0" * 50):
        path.write_bytes(content)
        refused(
            Parquet(path=str(path), target="y"), "t.parquet is not a Parquet file, or is damaged"
        )


@pytest.mark.parametrize(
    "column",
    [
        [[1, 2], [3]],
        [{"a": 1}, {"a": 2}],
        [datetime.timedelta(1), datetime.timedelta(2)],
        [datetime.time(1), datetime.time(2)],
    ],
)
def test_nested_and_timed_columns_are_refused_by_name(parquet, column):
    refused(parquet({"odd": column, "y": [1, 2]}), "column 'odd' holds", "drop = ['odd']")


def test_repeated_columns_of_a_parquet_file_are_refused(parquet):
    made = pa.Table.from_arrays([pa.array([1, 2])] * 3, ["x", "x", "y"])
    refused(parquet(made), "has more than one column named 'x'")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"columns": ("x",), "drop": ("z",)}, "CSV.columns and CSV.drop say the same thing twice"),
        ({"columns": ("x", "y")}, "CSV.columns must not name the target, 'y'"),
        ({"drop": ("y",)}, "CSV.drop must not name the target, 'y'"),
        ({"delimiter": "::"}, "CSV.delimiter must be one character, got '::'"),
        ({"split": (0.5, 0.5, 0.5)}, "CSV.split must be three shares that add up to 1"),
        ({"task": "binry"}, "CSV.task must be one of"),
    ],
)
def test_fields_that_cannot_be_are_refused(fields, sentence):
    with pytest.raises(SpecError, match=re.escape(sentence)):
        CSV(path="t.csv", target="y", **fields)


def test_path_and_target_are_required():
    with pytest.raises(SpecError, match=r"Parquet.path is required\nParquet.target is required"):
        Parquet()
