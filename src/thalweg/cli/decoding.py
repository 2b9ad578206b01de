"""What ``decode`` does: recorded runs write texts, which are judged and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from thalweg.cli import output
from thalweg.cli.request import Request
from thalweg.data.prompts import pieces_of
from thalweg.errors import RecordError, SpecError
from thalweg.laboratory import Laboratory, Scores, Writing
from thalweg.report import figure_svg, to_text
from thalweg.report.lattices import lattice as draw
from thalweg.report.parts import Figure, Page, Paragraph, Section, Table
from thalweg.report.words import short
from thalweg.spec.text import part_from
from thalweg.statistics.comparison import Comparison
from thalweg.statistics.verdict import amount

__all__ = ["decode"]


def decode(
    request: Request,
    *,
    decoder: str,
    prompts: tuple[str, ...],
    split: str,
    rows: int,
    length: int | None,
    seed: int,
    lattice: Path | None,
    compare: str | None,
    json: bool,
) -> None:
    """Let recorded runs write, and judge what they wrote."""
    if compare is not None and prompts:
        raise SpecError("--compare needs rows with references; leave --prompt out")
    laboratory, part = request.laboratory(), part_from(decoder, "decoders", "--decoder")
    runs = {job.id: job for job in (trial.job for trial in laboratory.plan().trials)}
    inputs: Any = split
    if prompts:
        dataset = next(iter(runs.values())).dataset
        inputs = [pieces_of(dataset, prompt) for prompt in prompts]
    written = laboratory.decode(part, inputs, length=length, seed=seed)
    if not written:
        raise RecordError(
            f"{request.project} holds no run of this experiment that has ended; `thalweg run` it"
        )
    compared = laboratory.compare_written(written, compare) if compare is not None else None
    seeds = {run.id: run.seed for run in laboratory.record().runs}
    searches: list[Section] = []
    if lattice is not None:
        searched = _searched(*next(iter(written.items())), rows)
        with output.writing(lattice) as path:
            path.write_text(figure_svg(searched), encoding="utf-8")
        searches.append(Section("Searches", (searched, Paragraph(f"Drawn in {lattice}."))))
    if json:
        outcome = _outcome(laboratory, part, written, seeds, rows)
        output.emit({**outcome, "comparison": compared})
        return
    verdicts = [] if compared is None else [_compared(compared)]
    page = Page(_title(part), (*_sections(written, seeds, rows), *verdicts, *searches))
    output.say(to_text(page, output.width()).rstrip("\n"))


def _title(part: Any) -> str:
    return f"What was written by {part!r}"


def _outcome(
    laboratory: Laboratory, part: Any, written: dict[str, Writing], seeds: dict[str, int], rows: int
) -> dict[str, Any]:
    return {
        "experiment": laboratory.record().id,
        "decoder": repr(part),
        "runs": [
            {
                "run": run,
                "seed": seeds[run],
                "scores": own.scores,
                "by_length": own.by_length,
                "texts": [_text(own, row) for row in range(min(rows, len(own.texts)))],
            }
            for run, own in written.items()
        ],
    }


def _text(own: Writing, row: int) -> dict[str, Any]:
    pairs = zip(own.texts[row], own.log_probabilities[row], strict=True)
    return {
        "prompt": own.prompts[row],
        "written": [{"text": text, "log_probability": float(total)} for text, total in pairs],
        "references": own.references[row] if own.references else None,
    }


def _searched(run: str, own: Writing, rows: int) -> Figure:
    """How the first texts were found."""
    panels = tuple(
        draw(own.searches.of(row), own.searches.names, own.prompts[row])
        for row in range(min(rows, len(own.texts)))
    )
    caption = (
        f"What run {run[:8]} tried at every step, with log-probabilities of the sequences up to "
        "there."
    )
    return Figure("Searches", caption, panels)


COLUMNS = ("tokens right", "rows right", "edits", "error rate", "BLEU", "chrF")


def _sections(written: dict[str, Writing], seeds: dict[str, int], rows: int) -> list[Section]:
    made = []
    judged = {run: own.scores for run, own in written.items() if own.scores is not None}
    if judged:
        lines = [(run[:8], str(seeds[run]), *_cells(scores)) for run, scores in judged.items()]
        table = Table(("run", "seed", *COLUMNS), tuple(lines), "lr" + "r" * len(COLUMNS))
        made.append(Section("Beside the references", (*_counted(judged), table)))
    run, own = next(iter(written.items()))
    if own.by_length:
        lines = [
            (f"{scores.shortest}–{scores.longest}", str(scores.rows), *_cells(scores))
            for scores in own.by_length
        ]
        table = Table(("tokens read", "rows", *COLUMNS), tuple(lines), "lr" + "r" * len(COLUMNS))
        made.append(Section(f"By length, of run {run[:8]}", (table,)))
    shown = [
        (
            own.prompts[row] if number == 0 else "",
            text,
            short(float(np.exp(own.log_probabilities[row, number]))),
            *([_reference(own, row) if number == 0 else ""] if own.references else []),
        )
        for row in range(min(rows, len(own.texts)))
        for number, text in enumerate(own.texts[row])
    ]
    columns = ("given", "written", "probability", *(["reference"] if own.references else []))
    table = Table(columns, tuple(shown), "llrl"[: len(columns)])
    made.append(Section(f"Texts of run {run[:8]}", (table,)))
    return made


def _compared(comparison: Comparison) -> Section:
    """What levels write, and which of them writes better, by the length of what they read."""
    levels = sorted(summary.level for summary in comparison.contexts[0].levels)
    lines = []
    for context in comparison.contexts:
        means = {summary.level: amount(summary.mean) for summary in context.levels}
        lines.append((context.label, *(means.get(level, "–") for level in levels)))
    table = Table(("", *levels), tuple(lines), "l" + "r" * len(levels))
    said = [Paragraph(f"{context.label}: {context.verdict}") for context in comparison.contexts]
    return Section(f"{comparison.metric} of levels, by length", (table, *said))


def _counted(judged: dict[str, Scores]) -> list[Paragraph]:
    """How many references there are, where there are more than rows."""
    rows, references = (
        sum(getattr(scores, name) for scores in judged.values()) for name in ("rows", "references")
    )
    if rows == references:
        return []
    return [
        Paragraph(
            f"{references} references for {rows} rows, {short(references / rows)} each: all that "
            "the split has for the same source. BLEU and chrF take them all, the other scores the "
            "nearest."
        )
    ]


def _reference(own: Writing, row: int) -> str:
    first, *others = own.references[row]
    return f"{first} (+{len(others)})" if others else first


def _cells(scores: Scores) -> tuple[str, ...]:
    values = (
        scores.token_accuracy,
        scores.sequence_accuracy,
        scores.edit_distance,
        scores.error_rate,
        scores.bleu,
        scores.chrf,
    )
    return tuple("–" if value is None else short(value) for value in values)
