"""From camera pixels to the whole grey levels that the network sees: the twin in C of `Geometry.apply`."""

from __future__ import annotations

from dataclasses import dataclass

from gonogo.data.geometry import LUMA, LUMA_HALF, LUMA_SCALE, TAP_SCALE, Geometry, taps
from gonogo.export.c.text import indented, whole_array

# Sums of so many rows stand in the text as one sum.
WRITTEN_OUT = 8


@dataclass(frozen=True)
class Levels:
    """The function that reads a photo.

    Attributes:
        arrays: the tables it needs.
        text: the function.
        members: what it needs of the arena.
    """

    arrays: str
    text: str
    members: tuple[str, ...]


def write_levels(geometry: Geometry) -> Levels:
    """Write `read_levels(pixels, line)`, where a line of the photo has so many bytes."""
    stored = geometry.stored_channels
    (rows, columns), (height, width) = geometry.reduced_size, geometry.input_size
    members = [f"uint8_t levels[{height * width * stored}]"]
    target = "levels"
    if geometry.size is not None:
        target = "reduced"
        members.append(f"uint8_t reduced[{rows * columns * stored}]")
    if geometry.reduce > 1 or geometry.size is not None:
        members.append(f"uint16_t line[{columns * max(geometry.reduce, 1) * stored}]")
    x, y, _, _ = geometry.region
    body = f"pixels += {y} * line + {x * geometry.channels};\n" if x or y else ""
    functions, loop = _reduction(geometry, rows, columns, target)
    body += loop
    arrays = ""
    if geometry.size is not None:
        tables, resized = _resizing(rows, columns, height, width, stored)
        arrays, body = tables, f"{body}\n{resized}"
    about = "/* Crop, grey, reduction, resizing in whole numbers: the very grey levels that the network learnt from. */"
    text = f"{functions}{about}\nstatic void read_levels(const uint8_t *pixels, int line)\n{{\n{indented(body)}\n}}\n"
    return Levels(arrays, text, tuple(members))


def _reduction(geometry: Geometry, rows: int, columns: int, target: str) -> tuple[str, str]:
    """Rows of blocks: sums down, then across, then the mean, rounded half up. Returns functions, and the loop."""
    r, stored = geometry.reduce, geometry.stored_channels
    to = f"arena.{target} + i * {columns * stored}"
    if r == 1:
        one = f"for (int j = 0; j < {columns * stored}; j++)\n    to[j] = {_pixel(geometry, 'from', 'j')};"
        copy = f"static void copy_row(const uint8_t *restrict from, uint8_t *restrict to)\n{{\n{indented(one)}\n}}\n\n"
        return copy, f"for (int i = 0; i < {rows}; i++)\n    copy_row(pixels + i * line, {to});"
    down = f"""static void sum_rows(const uint8_t *restrict from, int line, uint16_t *restrict sums)
{{
{indented(_sums_down(geometry, columns * r * stored))}
}}

"""
    across = f"""static void mean_blocks(const uint16_t *restrict sums, uint8_t *restrict to)
{{
{indented(_means_across(r, columns, stored))}
}}

"""
    loop = (
        f"for (int i = 0; i < {rows}; i++) {{\n    sum_rows(pixels + i * {r} * line, line, arena.line);\n"
        f"    mean_blocks(arena.line, {to});\n}}"
    )
    return down + across, loop


def _sums_down(geometry: Geometry, count: int) -> str:
    r = geometry.reduce
    if r <= WRITTEN_OUT and geometry.stored_channels == geometry.channels:
        terms = " + ".join(["from[j]", *(f"from[j + {k} * line]" if k > 1 else "from[j + line]" for k in range(1, r))])
        return f"for (int j = 0; j < {count}; j++)\n    sums[j] = (uint16_t)({terms});"
    inside = f"sums[j] = (uint16_t)(sums[j] + {_pixel(geometry, 'from', 'j', 'k * line')});"
    each = f"for (int j = 0; j < {count}; j++)\n{indented(inside)}"
    return f"memset(sums, 0, {count} * sizeof *sums);\nfor (int k = 0; k < {r}; k++)\n{indented(each)}"


def _means_across(r: int, columns: int, stored: int) -> str:
    """In 16 bits where they are enough: a vector holds twice as many."""
    kind = "uint16_t" if (2 * 255 + 1) * r * r <= 0xFFFF else "uint32_t"
    at, to = (f"j * {r}", "j") if stored == 1 else (f"j * {r * stored} + c", f"j * {stored} + c")
    mean = f"to[{to}] = (uint8_t)(({kind})(2 * total + {r * r}) / {2 * r * r});"
    if r <= WRITTEN_OUT:
        terms = " + ".join(f"sums[{at}{f' + {k * stored}' if k else ''}]" for k in range(r))
        body = f"const {kind} total = ({kind})({terms});\n{mean}"
    else:
        added = f"total = ({kind})(total + sums[{at} + k * {stored}]);"
        body = f"{kind} total = 0;\nfor (int k = 0; k < {r}; k++)\n    {added}\n{mean}"
    if stored > 1:
        body = f"for (int c = 0; c < {stored}; c++) {{\n{indented(body)}\n}}"
    return f"for (int j = 0; j < {columns}; j++) {{\n{indented(body)}\n}}"


def _pixel(geometry: Geometry, name: str, place: str, moved: str = "") -> str:
    """Return a stored value of a photo: the pixel itself, or the grey of three (`gonogo.data.geometry.LUMA`)."""
    offset = f" + {moved}" if moved else ""
    if geometry.stored_channels == geometry.channels:
        return f"{name}[{place}{offset}]"
    terms = " + ".join(
        f"{weight}u * {name}[3 * {place}{f' + {c}' if c else ''}{offset}]" for c, weight in enumerate(LUMA)
    )
    return f"(uint8_t)(({terms} + {LUMA_HALF}u) / {LUMA_SCALE}u)"


def _resizing(rows: int, columns: int, height: int, width: int, stored: int) -> tuple[str, str]:
    """Between two rows, then between two columns, with weights of whole 1/256."""
    half = TAP_SCALE * TAP_SCALE // 2
    tables = []
    for name, (source, size) in {"down": (rows, height), "across": (columns, width)}.items():
        for part, values in zip(("low", "high", "weight"), taps(source, size), strict=True):
            tables.append(whole_array("uint16_t", f"{name}_{part}", values.tolist()))
    line = columns * stored
    text = f"""for (int i = 0; i < {height}; i++) {{
    const uint8_t *const above = arena.reduced + down_low[i] * {line};
    const uint8_t *const below = arena.reduced + down_high[i] * {line};
    const uint32_t weight = down_weight[i];
    uint8_t *const to = arena.levels + i * {width * stored};
    for (int j = 0; j < {line}; j++)
        arena.line[j] = (uint16_t)(above[j] * ({TAP_SCALE} - weight) + below[j] * weight);
    for (int j = 0; j < {width}; j++)
        for (int c = 0; c < {stored}; c++) {{
            const uint32_t left = arena.line[across_low[j] * {stored} + c];
            const uint32_t right = arena.line[across_high[j] * {stored} + c];
            const uint32_t share = across_weight[j];
            const uint32_t whole = left * ({TAP_SCALE} - share) + right * share;
            to[j * {stored} + c] = (uint8_t)((whole + {half}) / {TAP_SCALE * TAP_SCALE});
        }}
}}"""
    return "".join(tables), text
