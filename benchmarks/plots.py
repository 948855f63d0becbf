# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draws figures of the benchmarks as SVG; the same figures give the same file."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

mpl.use("svg")
mpl.rcParams |= {"svg.hashsalt": "cargohold.ecr", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}

# By who follows. The AWS CLI waits by botocore's waiter, so that their lines would lie on each other.
COLORS = {
    "cargohold.ecr": "#0b6e4f",
    "amazon.aws.cloudformation": "#c8553d",
    "Sceptre": "#7a5195",
    "aws cloudformation deploy": "#5b8db8",
}
NAMES = {"aws cloudformation deploy": "the AWS CLI (deploy, wait), botocore's waiter"}
FLEET_COLORS = {
    "cargohold.ecr": "#0b6e4f",
    "Sceptre": "#7a5195",
    "the AWS CLI, 20 at once": "#5b8db8",
    "a loop of the standard module": "#c8553d",
}
PROMISE = "#888888"


def following(figures: Mapping[str, Any], image: Path) -> None:
    """Lag and calls by the seconds that a stack takes."""
    figure = Figure(figsize=(8, 7), layout="constrained")
    figure.patch.set_facecolor("white")
    lag, calls = figure.subplots(2, 1, sharex=True)
    for name, color in COLORS.items():
        samples: Sequence[Mapping[str, float]] = figures["samples"][name]
        takes = [each["takes"] for each in samples]
        ours = name == "cargohold.ecr"
        style: dict[str, Any] = {"color": color, "linewidth": 2.5 if ours else 1.2, "zorder": 3 if ours else 2}
        lag.plot(takes, _worst_nearby(samples), label=NAMES.get(name, name), **style)
        calls.plot(takes, [each["calls"] for each in samples], **style)
    takes = [each["takes"] for each in figures["samples"]["cargohold.ecr"]]
    lag.plot(
        takes, [max(0.5, each / 10) for each in takes], "--", color=PROMISE, label="promised lag, max(0.5 s, T/10)"
    )
    calls.plot([8, 60], [20, 40], "v", color=PROMISE, label="promised calls, 20 for 8 s and 40 for 60 s")
    lag.set(yscale="log", ylim=(0.3, 40), ylabel="seconds")
    lag.set_yticks([0.5, 1, 2, 5, 10, 30], ["0.5", "1", "2", "5", "10", "30"])
    lag.minorticks_off()
    lag.set_title("From a stack's settling to its being told, at worst for stacks of about T", loc="left")
    calls.set_title("Calls to CloudFormation", loc="left")
    calls.set(ylim=(0, None), xlim=(0, 120), xlabel="T, the seconds that the stack takes", ylabel="calls")
    for axes in (lag, calls):
        _quiet(axes)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    _save(figure, image)


def _worst_nearby(samples: Sequence[Mapping[str, float]]) -> list[float]:
    """The worst lag of the stacks that take within a tenth as long; each single one depends on when the looks meet it."""
    return [
        max(other["told"] for other in samples if abs(other["takes"] - each["takes"]) <= max(0.5, each["takes"] / 10))
        for each in samples
    ]


def playbooks(figures: Mapping[str, Any], image: Path) -> None:
    """Wall times, by the time that an empty playbook takes."""
    rows = [row for row in figures["rows"] if not row["slow"]]
    figure = Figure(figsize=(8, 0.35 * len(rows) + 1.2), layout="constrained")
    figure.patch.set_facecolor("white")
    axes = figure.subplots()
    ratios = [row["to_empty"] for row in rows]
    colors = [COLORS["cargohold.ecr"] if row["ours"] else "#b0b0b0" for row in rows]
    bars = axes.barh([row["name"] for row in rows], ratios, color=colors, height=0.6)
    axes.bar_label(bars, [f"{ratio:.1f}" for ratio in ratios], padding=3, fontsize=9)
    axes.invert_yaxis()
    axes.set_title("Wall time, in empty playbooks", loc="left")
    _quiet(axes)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    _save(figure, image)


def fleet(figures: Mapping[str, Any], image: Path) -> None:
    """Seconds that a fleet takes to be created, and to be found unchanged, by how many stacks it has."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    figure.patch.set_facecolor("white")
    panels = figure.subplots(1, 2)
    for axes, step in zip(panels, ("create", "nothing to do"), strict=True):
        for name, color in FLEET_COLORS.items():
            rows = sorted(
                (row["count"], row["seconds"])
                for row in figures["rows"]
                if row["contender"] == name and row["step"] == step
            )
            if rows:
                axes.plot(*zip(*rows, strict=True), "o-", color=color, label=name, linewidth=1.5)
        axes.set(xscale="log", yscale="log", xlabel="stacks")
        axes.set_title(step, loc="left")
        _quiet(axes)
    panels[0].set_ylabel("seconds")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=9
    )
    _save(figure, image)


def _quiet(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)


def _save(figure: Figure, image: Path) -> None:
    image.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(image, format="svg", metadata={"Date": None, "Creator": None})
    # matplotlib ends lines with blanks, which no check of text likes.
    image.write_text("\n".join(line.rstrip() for line in image.read_text().splitlines()) + "\n")


def main() -> None:
    """Draw: the arguments are the plot's name, the JSON with the figures, and the file to write."""
    plots = {"following": following, "playbooks": playbooks, "fleet": fleet}
    plots[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text()), Path(sys.argv[3]))


if __name__ == "__main__":
    main()
