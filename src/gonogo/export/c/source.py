"""The two files as text: what a gauge says of itself, the arena, the functions, and the way through them."""

from __future__ import annotations

import json
import math
import re

from gonogo.evaluate.decision import Decision
from gonogo.export.c.helpers import HELPERS
from gonogo.export.c.kernels import kernels
from gonogo.export.c.kernels_int8 import int8_kernels
from gonogo.export.c.levels import write_levels
from gonogo.export.c.loops import LOOPS
from gonogo.export.c.plan import Plan, Step
from gonogo.export.c.text import array, indented, number, quoted, string
from gonogo.export.c.views import Buffer
from gonogo.export.c.windows import Kit, write_conv, write_dense, write_pool
from gonogo.export.c.windows_int8 import write_q_conv
from gonogo.gauge.facts import Facts

MOST_INLINED = 24


def write_header(facts: Facts, plan: Plan, name: str, version: str) -> str:
    """Return the header: sizes, classes, thresholds, and the function."""
    geometry, decision = facts.geometry, facts.decision
    classes = len(decision.task.classes)
    heat = plan.outputs["heatmap"][1:]
    good = decision.task.good_index
    defines = {
        "WIDTH": str(geometry.width or 0),
        "HEIGHT": str(geometry.height or 0),
        "CHANNELS": str(geometry.channels),
        "CLASSES": str(classes),
        "CLASS_NAMES": "{" + ", ".join(map(quoted, decision.task.classes)) + "}",
        "GOOD": str(-1 if good is None else good),
        "HEAT_HEIGHT": str(heat[0]),
        "HEAT_WIDTH": str(heat[1]),
        "HAS_NOVELTY": str(int("novelty" in plan.outputs)),
    }
    if decision.threshold is not None:
        defines["THRESHOLD"] = number(decision.threshold)
        defines["NO_GO_FROM"] = number(decision.threshold if decision.no_go_from is None else decision.no_go_from)
    lines = "\n".join(f"#define GONOGO_{key} {value}" for key, value in defines.items())
    return HEADER.replace("@VERSION@", version).replace("@NAME@", name).replace("@DEFINES@", lines)


def write_source(facts: Facts, plan: Plan, header: str, version: str) -> str:
    """Return the C file."""
    kit = Kit()
    functions = [_function(at, step, plan, kit) for at, step in enumerate(plan.steps)]
    levels = write_levels(facts.geometry)
    body = "".join(text for text, _ in functions)
    body = levels.text + "\n" + body + _decide(facts.decision)
    kernel = kernels(kit.dense, kit.depthwise) + _whole_kernels(kit)
    if len(kit.arrays) > 2 * MOST_INLINED:
        # The same functions for all layers: written out for each, a large network takes a compiler minutes.
        kernel = kernel.replace("INLINE void row_", "static void row_").replace(
            "INLINE void depth_row_", "static void depth_row_"
        )
    helpers = helpers_for(body) if not kit.sums else helpers_for(body + kernel)
    used = {name: values for name, values in plan.constants.items() if re.search(rf"\b{name}\b", body)}
    arrays = "".join(array(name, values) for name, values in {**kit.arrays, **used}.items())
    members = [f"float values[{max(plan.floats, 1)}]", *levels.members]
    if kit.sums:
        members.append(f"int32_t sums[{kit.sums}]")
    calls = "\n".join(call for _, call in functions)
    return (
        SOURCE.replace("@VERSION@", version)
        .replace("@HEADER@", header)
        .replace("@FACTS@", string("gonogo_facts", json.dumps(facts.to_json(), sort_keys=True)))
        .replace("@CHECK@", _check(facts))
        .replace("@ARRAYS@", arrays + levels.arrays)
        .replace("@MEMBERS@", "\n".join(f"    {member};" for member in members))
        .replace("@KERNELS@", kernel)
        .replace("@HELPERS@", helpers)
        .replace("@FUNCTIONS@", body)
        .replace("@CALLS@", indented(calls))
    )


def _whole_kernels(kit: Kit) -> str:
    grouped = "q_grouped_row" in kit.helpers
    return int8_kernels(kit.whole_dense, depthwise=kit.whole_depthwise, grouped=grouped)


def helpers_for(body: str) -> str:
    """Return the small functions that a text calls, and those that they call."""
    wanted: list[str] = []
    for name, text in reversed(HELPERS.items()):
        if any(f"{name}(" in other for other in (body, *wanted)):
            wanted.insert(0, text)
    return "".join(wanted)


def _function(place: int, step: Step, plan: Plan, kit: Kit) -> tuple[str, str]:
    """Return a step as a function, and its call."""
    kind = step.node.kind
    if kind == "conv":
        body = write_conv(step, kit)
    elif kind == "q_conv":
        body = write_q_conv(step, kit)
    elif kind in ("max_pool", "avg_pool", "q_max_pool"):
        body = write_pool(step, kit)
    elif step.node.attrs.get("dense"):
        body = write_dense(step, kit)
    else:
        body = LOOPS[kind](step, plan)
    base = step.out.base
    if isinstance(base, Buffer) and base.border is not None:
        border = base.border
        picture, fill = f"v + {base.offset}", "zero_border"
        values = [border.rows, border.columns, border.above, border.left]
        if step.out.whole:
            picture, fill = f"(uint8_t *)({picture})", "fill_border"
            values.append(border.fill)
        values += [border.inner_rows, border.inner_columns, border.pixel]
        body = f"{fill}({picture}, {', '.join(map(str, values))});\n{body}"
    into = isinstance(base, str)
    name = f"step_{place}_{kind}"
    about = f"/* {step.node.layer or 'answer'} */"
    body = body if re.search(r"\bv\b", body) else f"(void)v;\n{body}"
    argument, given = (", gonogo_verdict *out", ", out") if into else ("", "")
    text = f"{about}\nSTEP {name}(float *const v{argument})\n{{\n{indented(body)}\n}}\n\n"
    return text, f"{name}(arena.values{given});"


def _check(facts: Facts) -> str:
    geometry = facts.geometry
    x, y, width, height = geometry.region
    if geometry.height is None:
        return f"width < {x + width} || height < {y + height}"
    return "width != GONOGO_WIDTH || height != GONOGO_HEIGHT"


def _decide(decision: Decision) -> str:
    """The verdict, as `gonogo.evaluate.decision.Decision` gives it."""
    if decision.task.good_index is None or decision.threshold is None:
        return DECIDE_SORTING
    assert math.isfinite(decision.threshold)
    return DECIDE


HEADER = """/* @NAME@: a go/no-go gauge, written by gonogo @VERSION@. What it knows of itself is in gonogo_facts. */
#ifndef GONOGO_GAUGE_H
#define GONOGO_GAUGE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The photo: 8 bits, rows from the top, channels side by side. A width of 0: any size that holds the crop. */
@DEFINES@

enum { GONOGO_GO = 0, GONOGO_NO_GO = 1, GONOGO_REVIEW = 2, GONOGO_SORTED = 3 };
enum { GONOGO_OK = 0, GONOGO_NO_PIXELS = -1, GONOGO_WRONG_SIZE = -2 };

typedef struct {
    float pred_probs[GONOGO_CLASSES];
    float heatmap[GONOGO_HEAT_HEIGHT * GONOGO_HEAT_WIDTH]; /* above 0 where a defect is seen */
    float novelty; /* above 1: unlike everything in training; 0 where nobody measures it */
    float prob; /* of a defect; for sorting, of the class answered */
    int label; /* the class answered */
    int verdict; /* GONOGO_GO, GONOGO_NO_GO, GONOGO_REVIEW; for sorting GONOGO_SORTED */
} gonogo_verdict;

/* Answer a photo of GONOGO_WIDTH x GONOGO_HEIGHT pixels; the second one says how large it is. Both return GONOGO_OK,
   or what is wrong. There is one arena: one call at a time. */
int gonogo_infer(const uint8_t *pixels, gonogo_verdict *out);
int gonogo_infer_size(const uint8_t *pixels, int width, int height, gonogo_verdict *out);

extern const char gonogo_facts[];
/* Classes, height and width of the heat map, whether novelty is measured, bytes of the arena. */
extern const int gonogo_layout[5];

#ifdef __cplusplus
}
#endif
#endif
"""

SOURCE = """/* A go/no-go gauge in C99, written by gonogo @VERSION@. No allocation, no dependency beyond libc and libm.
   Compile it with -O3 and the target's own instructions (-march=native, -mcpu=...); -DGONOGO_PLAIN_C leaves vector
   types out. */
#include "@HEADER@"

#include <math.h>
#include <stddef.h>
#include <string.h>

@FACTS@
@ARRAYS@
/* Everything that is written to. Its parts are used again as soon as nobody needs what they held. */
static struct {
@MEMBERS@
} arena
#ifdef __GNUC__
    __attribute__((aligned(64)))
#endif
    ;

const int gonogo_layout[5] = {
    GONOGO_CLASSES, GONOGO_HEAT_HEIGHT, GONOGO_HEAT_WIDTH, GONOGO_HAS_NOVELTY, (int)sizeof arena
};

/* GCC 12 takes some of these for functions without effect and leaves their calls out; so it does not look inside. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 8
#define STEP static __attribute__((noipa)) void
#else
#define STEP static void
#endif
@HELPERS@
@KERNELS@
@FUNCTIONS@
int gonogo_infer_size(const uint8_t *pixels, int width, int height, gonogo_verdict *out)
{
    if (pixels == NULL || out == NULL)
        return GONOGO_NO_PIXELS;
    if (@CHECK@)
        return GONOGO_WRONG_SIZE;
    out->novelty = 0.0f;
    read_levels(pixels, width * GONOGO_CHANNELS);
@CALLS@
    decide(out);
    return GONOGO_OK;
}

int gonogo_infer(const uint8_t *pixels, gonogo_verdict *out)
{
    return gonogo_infer_size(pixels, GONOGO_WIDTH, GONOGO_HEIGHT, out);
}
"""

DECIDE = """static void decide(gonogo_verdict *out)
{
    int defect = GONOGO_GOOD == 0 ? 1 : 0;
    for (int k = 0; k < GONOGO_CLASSES; k++)
        if (k != GONOGO_GOOD && out->pred_probs[k] > out->pred_probs[defect])
            defect = k;
    out->prob = 1.0f - out->pred_probs[GONOGO_GOOD];
    /* Asked this way round, what is not a number does not pass. */
    const int go = out->prob < GONOGO_THRESHOLD;
    out->label = go ? GONOGO_GOOD : defect;
    out->verdict = go ? GONOGO_GO : out->prob < GONOGO_NO_GO_FROM ? GONOGO_REVIEW : GONOGO_NO_GO;
    if (!(out->novelty <= 1.0f))
        out->verdict = GONOGO_REVIEW;
}
"""

DECIDE_SORTING = """static void decide(gonogo_verdict *out)
{
    out->label = 0;
    for (int k = 1; k < GONOGO_CLASSES; k++)
        if (out->pred_probs[k] > out->pred_probs[out->label])
            out->label = k;
    out->prob = out->pred_probs[out->label];
    out->verdict = out->novelty <= 1.0f ? GONOGO_SORTED : GONOGO_REVIEW;
}
"""
