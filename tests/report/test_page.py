"""From a record to a page: what stands on it, in which order, and what is said about it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.report.conftest import DictCurves

from thalweg.record.tables import Adjustment, Experiment, Run
from thalweg.report import build, to_html, to_markdown, to_text
from thalweg.report.aggregate import MOST_POINTS, quantile, summarise
from thalweg.report.groups import Group
from thalweg.report.parts import (
    BoundaryPanel,
    Code,
    Figure,
    HeatPanel,
    IntervalPanel,
    LinePanel,
    Page,
    Paragraph,
    Table,
    Verdict,
)

EMPTY = Experiment("0" * 16, "", {}, None, {}, ())


def parts(page, kind):
    return [part for section in page.sections for part in section.parts if isinstance(part, kind)]


def panels(page, kind):
    return [p for figure in parts(page, Figure) for p in figure.panels if isinstance(p, kind)]


# -------------------------------------------------------------------------------- the whole page


def test_sections_in_order(page) -> None:
    assert page.title == "Which optimizer trains a small network best on two moons?"
    assert [section.heading for section in page.sections] == [
        "Verdict",
        "In every context",
        "Ranking at noise=0.1",
        "Learning curves",
        "Learning rate by optimizer",
        "Decision boundaries",
        "Inside the network",
        "Time to target",
        "Tuning",
        "Every pair",
        "Outcomes",
        "Budget",
        "Environment",
        "Reproduce it",
    ]
    assert isinstance(page.sections[0].parts[0], Verdict)


def test_the_ranking_has_every_seed(page, full) -> None:
    _, comparison, _ = full
    (panel,) = panels(page, IntervalPanel)
    levels = comparison.contexts[0].levels
    assert [row.name for row in panel.rows] == [level.level for level in levels]
    assert [row.points for row in panel.rows] == [level.values for level in levels]
    assert [row.series for row in panel.rows] == list(range(8))


def test_learning_curves_are_medians_of_the_reported_runs(page, full) -> None:
    _, comparison, curves = full
    best = comparison.contexts[0].levels[0]
    panel = next(p for p in panels(page, LinePanel) if p.title == "Validation accuracy")
    rate = best.configuration.split("=")[1]
    ids = [f"{best.level}-{rate}-{seed}-report-0.1" for seed in range(100, 120)]
    held = np.array([curves.held["validation.accuracy"][run][1] for run in ids])
    assert panel.lines[0].name == best.level
    assert panel.lines[0].y == pytest.approx(np.median(held, axis=0), rel=6e-4)
    assert panel.lines[0].low == pytest.approx(np.quantile(held, 0.1, axis=0), rel=6e-4)
    assert panel.lines[0].high == pytest.approx(np.quantile(held, 0.9, axis=0), rel=6e-4)


def test_panels_beside_one_another_share_their_axis(page) -> None:
    losses = [p for p in panels(page, LinePanel) if p.title.endswith(" loss")]
    assert [p.title for p in losses] == ["Train loss", "Validation loss", "Test loss"]
    assert len({p.y for p in losses}) == 1
    assert losses[0].y.scale == "log"


def test_diverged_runs_are_marked_and_counted(page, full) -> None:
    experiment, _, _ = full
    lost = {
        run.factors["optimizer"]: run.step
        for run in experiment.runs
        if run.outcome == "diverged" and run.phase == "report" and run.factors["data.noise"] == 0.1
    }
    assert lost
    panel = next(p for p in panels(page, LinePanel) if p.title == "Train loss")
    for line in panel.lines:
        assert ("diverged" in line.note) == (line.name in lost)
        if line.name in lost:
            assert lost[line.name] in [x for x, _ in line.crosses]


def test_the_heatmap_holds_tuning_runs_and_validation_values(page, full) -> None:
    experiment, _, _ = full
    _, panel = panels(page, HeatPanel)
    assert panel.columns == ("0.001", "0.01", "0.1", "1")
    assert panel.value_label == "median validation.accuracy"
    runs = [
        run
        for run in experiment.runs
        if run.factors["optimizer"] == "adagrad"
        and run.factors["optimizer.learning_rate"] == 0.01
        and run.factors["data.noise"] == 0.1
    ]
    cell = panel.cells[panel.rows.index("adagrad")][1]
    assert cell.runs == len(runs) == 3
    assert cell.value == pytest.approx(np.median([r.finals["validation.accuracy"] for r in runs]))
    assert [sum(c.outlined for c in row if c) for row in panel.cells] == [1] * 8
    assert any(c.diverged for row in panel.cells for c in row if c)


def test_boundaries_show_the_run_nearest_the_median(page, full) -> None:
    _, comparison, _ = full
    shown = panels(page, BoundaryPanel)
    assert [p.title for p in shown] == [level.level for level in comparison.contexts[0].levels]
    best = comparison.contexts[0].levels[0]
    values = {seed: v for seed, v in zip(best.seeds, best.values, strict=True) if seed < 103}
    nearest = min(values, key=lambda seed: abs(values[seed] - np.median(best.values)))
    assert shown[0].note.endswith(f"seed {nearest}")
    assert shown[0].seen.sum() == 168


def test_layers_are_lines_in_the_order_of_the_network(page) -> None:
    panel = next(p for p in panels(page, LinePanel) if p.lines and p.lines[0].place is not None)
    assert [line.name for line in panel.lines] == ["dense_0", "dense_1", "dense_2", "output"]
    assert [line.place for line in panel.lines] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert panel.y.scale == "log"


def test_survival_starts_with_everyone_and_reaches_the_horizon(page) -> None:
    (figure,) = [f for f in parts(page, Figure) if f.title == "Time to target"]
    for line in figure.panels[0].lines:
        assert (line.x[0], line.y[0]) == (0, 1)
        assert line.x[-1] == 1500
        assert list(line.y) == sorted(line.y, reverse=True)


def test_outcomes_by_someone_elses_interval(page, full) -> None:
    experiment, _, _ = full
    proportion = pytest.importorskip(
        "statsmodels.stats.proportion", reason="statsmodels is not installed"
    )
    table = next(t for t in parts(page, Table) if t.caption.startswith("How"))
    name, runs, finished, diverged, stopped, share = table.rows[-1]
    lost = sum(run.outcome == "diverged" for run in experiment.runs)
    low, high = proportion.proportion_confint(lost, len(experiment.runs), 0.05, "wilson")
    assert (name, runs, diverged, stopped) == ("all", "768", str(lost), "0")
    assert int(finished) + lost == 768
    assert share == f"{lost / 768:.0%} [{low:.0%}, {high:.0%}]"


def test_the_source_is_shown_where_there_is_one(full) -> None:
    experiment, comparison, curves = full
    page = build(experiment, comparison, curves, 'question = "?"\n')
    assert parts(page, Code)[0] == Code('question = "?"', "toml")
    kept = replace(experiment, environment={"device": "cpu", "source": "seeds = 3"})
    page = build(kept, comparison, curves)
    assert parts(page, Code)[0] == Code("seeds = 3", "toml")
    assert "source" not in to_text(page).split("Environment")[1].split("Reproduce")[0]


# -------------------------------------------------------------------------------------- verdicts


def test_the_kind_of_verdict(make) -> None:
    experiment, comparison, curves = make(["adam", "sgd"], 12)
    page = build(experiment, comparison, curves)
    assert parts(page, Verdict) == [Verdict("adam is best.", "better")]
    (context,) = comparison.contexts
    tied = replace(context, label="b", pairs=(replace(context.pairs[0], verdict="tied"),))
    turned = replace(context, label="c", levels=context.levels[::-1])
    for others, kind in ((context,), "better"), ((tied,), "mixed"), ((turned,), "mixed"):
        page = build(experiment, replace(comparison, contexts=(context, *others)), curves)
        assert parts(page, Verdict)[0].kind == kind
    rows = parts(build(experiment, replace(comparison, contexts=(context, tied)), curves), Table)
    assert any(row[-1] == "tied with sgd" for table in rows for row in table.rows)


def test_levels_stand_against_the_baseline(make) -> None:
    experiment, comparison, curves = make(["adam", "sgd", "rms"], 12)
    (context,) = comparison.contexts
    adam_sgd, _, sgd_rms = context.pairs
    base = replace(context, label="base", pairs=(adam_sgd, replace(sgd_rms, verdict="tied")))
    turned = replace(context, label="noise=0.2", pairs=(adam_sgd, sgd_rms))
    held = replace(comparison, contexts=(base, turned), baseline="sgd")
    page = build(experiment, held, curves)
    assert parts(page, Verdict)[0].kind == "partly"
    assert "Against sgd" in [section.heading for section in page.sections]
    (panel,) = panels(page, HeatPanel)
    notes = [[cell and cell.note.replace("\xa0", " ") for cell in row] for row in panel.cells]
    assert [dict(zip(panel.columns, row, strict=True)) for row in notes] == [
        {"adam": "+0.010", "sgd": "=", "rms": "= −0.010"},
        {"adam": "+0.010", "sgd": "=", "rms": "−0.010"},
    ]
    strengths = [dict(zip(panel.columns, row, strict=True)) for row in panel.cells]
    assert strengths[1]["adam"].strength > strengths[0]["rms"].strength
    assert strengths[0]["rms"].strength > strengths[1]["rms"].strength


def test_every_level_stands_against_the_best_of_its_context(make) -> None:
    experiment, comparison, curves = make(["adam", "sgd", "rms"], 12)
    (context,) = comparison.contexts
    adam_sgd, adam_rms, _ = context.pairs
    turned = replace(
        context,
        label="noise=0.2",
        levels=(context.levels[1], context.levels[0]),
        pairs=(replace(adam_sgd, first="sgd", second="adam", verdict="undecided"),),
    )
    base = replace(context, label="base", pairs=(replace(adam_sgd, verdict="tied"), adam_rms))
    for higher, sign in ((True, "−"), (False, "+")):
        held = replace(comparison, contexts=(base, turned), higher_is_better=higher)
        page = build(experiment, held, curves)
        assert page.sections[1].heading == "In every context"
        (panel,) = panels(page, HeatPanel)
        assert (panel.rows, panel.columns) == (("base", "noise=0.2"), ("adam", "sgd", "rms"))
        notes = [[cell and cell.note.replace("\xa0", " ") for cell in row] for row in panel.cells]
        assert notes == [
            ["best", f"= {sign}0.010", f"{sign}0.010"],
            [f"? {sign}0.010", "best", None],
        ]
        strengths = [cell.strength for cell in panel.cells[0]]
        assert strengths == sorted(strengths, reverse=True)
        assert [cell.value for cell in panel.cells[0]] == [v.mean.estimate for v in base.levels]
        sentence = "adam is the best, or not shown to be worse than the best, in 2 of 2 contexts"
        assert Paragraph(f"{sentence}, sgd in 2.") in page.sections[1].parts
        check_all(page)


def test_many_levels_and_contexts_are_cut_and_said_to_be(make) -> None:
    experiment, comparison, curves = make([f"level_{i}" for i in range(20)], 12)
    (context,) = comparison.contexts
    contexts = tuple(replace(context, label=f"noise={i}") for i in range(50))
    page = build(experiment, replace(comparison, contexts=contexts), curves)
    (panel,) = panels(page, HeatPanel)
    assert (len(panel.rows), len(panel.columns)) == (40, 12)
    text = "Left out: the 8 levels that hold up least and the last 10 contexts."
    assert Paragraph(text, "note") in page.sections[1].parts
    check_all(page)


def test_the_heatmap_leaves_reported_runs_out(full) -> None:
    """They are trained on all but the test data, so that they have no validation values."""
    experiment, comparison, curves = full
    kept = {name for run in experiment.runs for name in run.finals if name[:4] != "vali"}
    runs = tuple(
        replace(run, finals={name: v for name, v in run.finals.items() if name in kept})
        if run.phase == "report"
        else run
        for run in experiment.runs
    )
    page = build(replace(experiment, runs=runs), comparison, curves)
    panel = panels(page, HeatPanel)[1]
    assert all(cell is None or cell.runs == 3 for row in panel.cells for cell in row)
    assert all(sum(cell.outlined for cell in row if cell) == 1 for row in panel.cells)
    assert panel == panels(build(*full), HeatPanel)[1]


def test_warnings_stand_under_the_verdict(make) -> None:
    experiment, comparison, curves = make(["adam", "sgd"], 3)
    (context,) = comparison.contexts
    held = replace(comparison, contexts=(replace(context, warnings=("budgets differ",)),))
    page = build(experiment, held, curves)
    assert Paragraph("budgets differ.", "warning") in page.sections[0].parts


def test_levels_find_their_runs_by_their_values(make) -> None:
    """A run may lie in several contexts; its factors then name one that is not the main one."""
    experiment, comparison, curves = make(["adam", "sgd"], 4)
    runs = tuple(replace(r, factors={**r.factors, "data.noise": 0.1}) for r in experiment.runs)
    decoys = tuple(
        replace(r, id=f"other-{r.id}", factors={**r.factors, "data.noise": 0.2},
                finals={"validation.accuracy": 0.5})
        for r in experiment.runs
    )  # fmt: skip
    (context,) = comparison.contexts
    held = replace(comparison, contexts=(replace(context, label="base"),))
    page = build(replace(experiment, runs=decoys + runs), held, curves)
    lines = next(p for p in panels(page, LinePanel) if p.title == "Train loss").lines
    assert [line.name for line in lines] == ["adam", "sgd"]


def test_without_a_comparison_groups_are_ranked_and_nothing_is_judged(full) -> None:
    experiment, _, curves = full
    page = build(replace(experiment, compare=None, question=""), None, curves)
    assert page.title == "Training runs"
    assert not parts(page, Verdict)
    headings = [section.heading for section in page.sections]
    assert headings[:3] == ["Summary", "Ranking", "Learning curves"]
    table = parts(page, Table)[0]
    medians = [float(row[2]) for row in table.rows if row[2] != "–"]
    assert medians == sorted(medians, reverse=True)
    assert "median test.accuracy" in table.columns


def test_groups_are_told_apart_by_what_some_runs_do_not_have(make) -> None:
    experiment, _, curves = make(["a"], 4)
    factors = [{}, {}, {"training.batch_size": 8, "fixed": 1}, {"network.hidden": [4], "fixed": 1}]
    runs = tuple(
        replace(run, factors=each) for run, each in zip(experiment.runs, factors, strict=True)
    )
    page = build(replace(experiment, runs=runs), None, curves)
    table = next(t for t in parts(page, Table) if "group" in t.columns)
    assert {row[1] for row in table.rows} == {"base", "batch_size=8, fixed=1", "hidden=4, fixed=1"}
    everywhere = tuple(replace(run, factors={**run.factors, "fixed": 1}) for run in runs)
    page = build(replace(experiment, runs=everywhere), None, curves)
    table = next(t for t in parts(page, Table) if "group" in t.columns)
    assert {row[1] for row in table.rows} == {"base", "batch_size=8", "hidden=4"}
    assert "4 runs: 3 combinations of batch_size and hidden." in to_text(page)


# -------------------------------------------------------------------------------------- extremes


def check_all(page) -> None:
    """Every renderer takes the page, and no figure has numbers that are none."""
    assert "nan" not in to_text(page).lower().replace("nanny", "")
    assert to_markdown(page)
    html = to_html(page)
    assert ' d="nan' not in html
    assert "NaN" not in html.split('id="data">')[1].split("</script>")[0]


def test_nothing_ran(make) -> None:
    page = build(EMPTY, None, make(["a"], 1)[2])
    assert [section.heading for section in page.sections] == ["Summary", "Reproduce it"]
    check_all(page)


def test_runs_that_never_came_to_a_second_evaluation(make) -> None:
    page = build(*make(["a", "b"], 5, points=1, diverged=lambda rank, seed: True))
    assert not panels(page, LinePanel)
    text = "no run was evaluated more than once, and 10 runs diverged before a second time."
    assert text in to_text(page, 200)


def layered(make, names: list[str], layers: dict[str, float]):
    """A hand-made experiment with a share of zeros, constant over time, in every layer."""
    experiment, _, curves = make(names, 3)
    for run in experiment.runs:
        for layer, share in layers.items():
            steps = np.arange(3)
            curves.add(f"zero_share.{layer}", run.id, steps, np.full(3, share))
            curves.add(f"saturated_share.{layer}", run.id, steps, np.full(3, share + 0.01))
            curves.add(f"update_ratio.{layer}", run.id, steps, np.full(3, 1e-3))
    runs = tuple(replace(run, layers=tuple(layers)) for run in experiment.runs)
    page = build(replace(experiment, runs=runs), None, curves)
    section = next(s for s in page.sections if s.heading == "Inside the network")
    return [part for part in section.parts if isinstance(part, Figure)]


def test_layers_take_no_more_room_than_they_need(make) -> None:
    several = layered(make, ["a", "b"], {"one": 0.2, "two": 0.4})
    # What is saturated is what is zero, and shown once.
    assert [f.title for f in several] == ["Update ratios", "Share of zero activations"]
    assert [p.title for p in several[0].panels] == ["optimizer=a", "optimizer=b"]
    assert [[line.place for line in p.lines] for p in several[0].panels] == [[0, 1], [0, 1]]
    _, zero = layered(make, ["a", "b"], {"one": 0.2})
    (panel,) = zero.panels
    assert (panel.title, [line.name for line in panel.lines]) == (
        "one", ["optimizer=a", "optimizer=b"],
    )  # fmt: skip
    (figure,) = layered(make, ["a"], {"one": 0.2, "two": 0.4})
    assert [p.title for p in figure.panels] == [f.title for f in several]


def test_seeds_alone_have_results_and_no_ranking(make) -> None:
    experiment, _, curves = make(["a"], 5)
    page = build(experiment, None, curves)
    headings = [section.heading for section in page.sections]
    assert "Results" in headings
    assert "Ranking" not in headings
    table = parts(page, Table)[0]
    assert (table.columns, table.rows) == (
        ("", "validation"), (("accuracy", "0.9010 (0.9002 to 0.9018)"),),
    )  # fmt: skip
    assert "5 runs. Median validation.accuracy 0.901" in page.sections[0].parts[0].text


def test_runs_that_wait(make) -> None:
    experiment, _, _ = make(["a", "b"], 2)
    waiting = tuple(replace(r, outcome="waiting", step=0, finals={}) for r in experiment.runs)
    curves = make(["a"], 1)[2]
    curves.held.clear()
    page = build(replace(experiment, runs=waiting), None, curves)
    assert any("not finished" in table.columns for table in parts(page, Table))
    check_all(page)


@pytest.mark.parametrize("points", [1, 2, 3000])
def test_one_run(make, points: int) -> None:
    experiment, _, curves = make(["a"], 1, points=points)
    page = build(experiment, None, curves)
    check_all(page)
    assert all(len(line.x) <= MOST_POINTS for p in panels(page, LinePanel) for line in p.lines)


def test_one_level(make) -> None:
    check_all(build(*make(["a"], 12)))


def test_all_diverged(make) -> None:
    page = build(*make(["a", "b", "c"], 5, diverged=lambda rank, seed: True))
    check_all(page)
    assert all(row.note == "✕ 5 of 5 diverged" for row in panels(page, IntervalPanel)[0].rows)
    rows = next(t for t in parts(page, Table) if "worst" in t.columns).rows
    assert all("diverged" in row for row in rows)


def test_constant_values(make) -> None:
    check_all(build(*make(["a", "b"], 5, value=lambda rank, seed: 0.5)))


def test_zero_and_huge_values(make) -> None:
    check_all(build(*make(["a", "b"], 5, value=lambda rank, seed: 0.0)))
    check_all(build(*make(["a", "b"], 5, value=lambda rank, seed: 1e30 * (rank + seed))))


def test_long_names_and_names_that_look_like_markup(make) -> None:
    names = ["a" * 40, "<script>alert(1)</script>", 'x" onload="y', "a|b*c`d_e", "&amp;", "nanny"]
    page = build(*make(names, 4))
    check_all(page)
    html = to_html(page)
    assert "<script>alert" not in html
    assert 'x" onload' not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "&amp;amp;" in html
    rows = [line for line in to_markdown(page).splitlines() if line.startswith("| 4 |")]
    assert rows[0].startswith("| 4 | a\\|b\\*c\\`d_e |")


def test_three_thousand_runs_in_a_hundred_groups_stay_readable(make) -> None:
    names = [f"level_{i:03d}" for i in range(100)]
    page = build(*make(names, 30, points=400))
    html = to_html(page)
    assert len(html) < 2_000_000
    assert all(len(p.lines) <= 8 for p in panels(page, LinePanel))
    text = to_text(page)
    assert "Shown are the best 8 of 100" in text
    assert "The 60 levels after these are left out." in text
    assert len(text.splitlines()) < 500


# ------------------------------------------------------------------------------- many curves as one


@given(
    arrays.arrays(float, st.tuples(st.integers(1, 9), st.integers(1, 4)),
                  elements=st.floats(-1e6, 1e6) | st.just(math.nan)),
    st.floats(0, 1),
)  # fmt: skip
def test_quantiles_are_those_of_numpy(values: np.ndarray, share: float) -> None:
    known = ~np.isnan(values).all(axis=0)
    expected = np.nanquantile(values[:, known], share, axis=0)
    assert quantile(values, share)[known] == pytest.approx(expected, rel=1e-9, abs=1e-6)
    assert np.isnan(quantile(values, share)[~known]).all()


def test_quantiles_with_infinite_values() -> None:
    values = np.array([[1.0], [2.0], [math.inf], [math.inf]])
    assert quantile(values, 0.0)[0] == 1
    assert quantile(values, 1 / 3)[0] == 2  # exactly on a finite value: weight 0 of the next
    assert quantile(values, 0.5)[0] == math.inf
    assert quantile(values, 0.9)[0] == math.inf
    assert quantile(-values, 0.9)[0] == pytest.approx(-1.3)


def test_a_diverged_run_counts_as_worst_and_a_stopped_one_keeps_its_value(make) -> None:
    _, _, curves = make(["x"], 1)
    steps = np.arange(5) * 10
    runs = []
    for name, outcome, last in (("a", "finished", 5), ("b", "diverged", 2), ("c", "stopped", 3)):
        values = np.where(np.arange(5) < last, {"a": 1.0, "b": 2.0, "c": 3.0}[name], np.nan)
        curves.add("loss", name, steps, values)
        runs.append(Run(name, {}, 0, outcome, step=10 * (last - 1), steps=40))
    found = summarise("loss", Group("g", tuple(runs), 0), curves, math.inf)
    assert list(found.steps) == [0, 10, 20, 30, 40]
    assert list(found.median) == [2, 2, 3, 3, 3]
    assert found.low[0] == pytest.approx(1.2)
    assert found.high[0] == pytest.approx(2.8)
    assert list(found.high[2:]) == [math.inf] * 3
    assert found.crosses == ((10.0, 2.0),)


def test_a_run_in_training_says_nothing_about_later_steps(make) -> None:
    _, _, curves = make(["x"], 1)
    curves.add("loss", "a", np.array([0, 10, 20]), np.array([1.0, 1.0, 1.0]))
    curves.add("loss", "b", np.array([0, 10]), np.array([3.0, 3.0]))
    runs = (Run("a", {}, 0, "finished"), Run("b", {}, 1, "training"), Run("c", {}, 2))
    found = summarise("loss", Group("g", runs, 0), curves, math.inf)
    assert list(found.median) == [2, 2, 1]


def test_runs_adjusted_by_hand_are_named():
    made = Adjustment("a", 1200, "learning_rate", 0.125, "keyboard", "2026-01-01T00:00:00Z", "r")
    runs = (Run("a", {}, 0, "finished", adjustments=(made,)), Run("b", {}, 1, "finished"))
    page = build(Experiment("e", "", {}, None, {}, runs), None, DictCurves())
    section = next(s for s in page.sections if s.heading == "Adjusted by hand")
    text = to_text(Page("", (section,)), 80)
    assert "1 run of 2 was adjusted by hand" in text
    assert "learning_rate" in text
    assert "1,200" in text
    assert "0.125" in text
    again = next(s for s in page.sections if s.heading == "Reproduce it")
    assert "but those adjusted by hand" in again.parts[0].text
    page = build(Experiment("e", "", {}, None, {}, runs[1:]), None, DictCurves())
    assert "Adjusted by hand" not in [s.heading for s in page.sections]
