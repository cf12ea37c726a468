"""The C functions that compute convolutions: a few output pixels and channels at a time, their sums in registers.

The layout is channels innermost, weights as [row][column][input channel][output channel]: each weight is read once for
several pixels, and neither needs to be shuffled. Vector types are those of GCC and Clang; other compilers, or
GONOGO_PLAIN_C, get the same sums in plain C99.
"""

from __future__ import annotations

from collections.abc import Iterable

FEW_CHANNELS = 8
# The share of its speed that a core reaches with so many pixels at a time: fewer wait for their own sums.
WORTH = {1: 0.15, 2: 0.35, 3: 0.55, 4: 0.75, 5: 0.9, 6: 1.0, 7: 0.95}

VECTORS = """
#if defined(__GNUC__) && !defined(GONOGO_PLAIN_C)
#define VECTORS 1
#ifdef __AVX__
#define LANES 8
#else
#define LANES 4
#endif
typedef float vec __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
typedef int mask __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
#define LOAD(place) (*(const vec *)(place))
#define STORE(place, value) (*(vec *)(place) = CLAMP(value))
/* What is not a number stays none: the instructions return their second operand then. */
#if defined(__AVX__)
#include <immintrin.h>
#define CLAMP(value) _mm256_min_ps(highest, _mm256_max_ps(lowest, value))
#elif defined(__SSE__)
#include <xmmintrin.h>
#define CLAMP(value) _mm_min_ps(highest, _mm_max_ps(lowest, value))
#else
#define CHOOSE(which, one, other) ((vec)(((which) & (mask)(one)) | (~(which) & (mask)(other))))
#define RAISE(value) CHOOSE((mask)((value) < lowest), lowest, value)
#define CLAMP(value) CHOOSE((mask)(RAISE(value) > highest), highest, RAISE(value))
#endif
#define INLINE static inline __attribute__((always_inline))
#else
#define LANES 8
#define INLINE static
#endif
"""

TILE_ARGUMENTS = (
    "const float *x, int step, int rows, int row, int runs, int run, int length,\n"
    "    const float *w, int channels, const float *b, float low, float high, float *y, int pixel"
)
TILE_NAMES = "x, step, rows, row, runs, run, length, w, channels, b, low, high, y, pixel"
DEPTH_ARGUMENTS = (
    "const float *x, int step, int rows, int row, int columns, int column,\n"
    "    const float *w, int channels, const float *b, float low, float high, float *y, int pixel"
)
DEPTH_NAMES = "x, step, rows, row, columns, column, w, channels, b, low, high, y, pixel"

PLAIN_TILE = f"""
static void plain_tile(int pixels, {TILE_ARGUMENTS})
{{
    float sum[7][LANES];
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < LANES; c++)
            sum[p][c] = b[c];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < runs; j++)
            for (int k = 0; k < length; k++, w += channels)
                for (int p = 0; p < pixels; p++) {{
                    const float value = x[i * row + j * run + k + p * step];
                    for (int c = 0; c < LANES; c++)
                        sum[p][c] += w[c] * value;
                }}
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < LANES; c++)
            y[p * pixel + c] = sum[p][c] < low ? low : sum[p][c] > high ? high : sum[p][c];
}}
"""
PLAIN_DEPTH = f"""
static void plain_depth(int pixels, {DEPTH_ARGUMENTS})
{{
    float sum[7][LANES];
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < LANES; c++)
            sum[p][c] = b[c];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++, w += channels)
            for (int p = 0; p < pixels; p++)
                for (int c = 0; c < LANES; c++)
                    sum[p][c] += w[c] * x[i * row + j * column + p * step + c];
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < LANES; c++)
            y[p * pixel + c] = sum[p][c] < low ? low : sum[p][c] > high ? high : sum[p][c];
}}
"""


# Seven pixels and two vectors are more sums than AVX2 has registers for; it is seen where they are added to for long.
MANY_PRODUCTS, CROWDED = 64, 0.8


def best_pixels(width: int, products: int = 1, channels: int = 1) -> int:
    """Return how many pixels of a row to compute at a time; the last ones of a row may be computed twice.

    Args:
        width: of the row.
        products: how many there are in a sum.
        channels: of the output.
    """
    worth = {**WORTH, 7: CROWDED} if products >= MANY_PRODUCTS and channels > FEW_CHANNELS else WORTH
    return min((p for p in worth if p <= width), key=lambda p: -(-width // p) * p / worth[p])


def kernels(dense: Iterable[int], depthwise: Iterable[int]) -> str:
    """Return the functions for tiles of so many pixels."""
    dense, depthwise = sorted(set(dense)), sorted(set(depthwise))
    parts = [VECTORS] if dense or depthwise else []
    if dense:
        tiles = "".join(_tile(pixels, vectors) for pixels in dense for vectors in (1, 2))
        plain = "".join(
            f"static void tile_{p}x1({TILE_ARGUMENTS})\n{{\n    plain_tile({p}, {TILE_NAMES});\n}}\n" for p in dense
        )
        parts.append(f"#ifdef VECTORS\n{tiles}#else\n{PLAIN_TILE}{plain}#endif\n")
        parts += [_row(pixels) for pixels in dense]
    if depthwise:
        tiles = "".join(_depth(pixels) for pixels in depthwise)
        plain = "".join(
            f"static void depth_{p}({DEPTH_ARGUMENTS})\n{{\n    plain_depth({p}, {DEPTH_NAMES});\n}}\n"
            for p in depthwise
        )
        parts.append(f"#ifdef VECTORS\n{tiles}#else\n{PLAIN_DEPTH}{plain}#endif\n")
        parts += [_depth_row(pixels) for pixels in depthwise]
    return "".join(parts)


def _tile(pixels: int, vectors: int) -> str:
    """Write the sums of some pixels and one or two vectors of channels, each in a variable of its own."""
    sums = [[f"s{p}{v}" for v in range(vectors)] for p in range(pixels)]
    names = ", ".join(f"{name} = b{v}" for row in sums for v, name in enumerate(row))
    loads = " ".join(f"const vec w{v} = LOAD(w{f' + {v} * LANES' if v else ''});" for v in range(vectors))
    starts = " ".join(f"const vec b{v} = LOAD(b{f' + {v} * LANES' if v else ''});" for v in range(vectors))
    adds = "\n".join(
        "                " + " ".join(f"{name} += w{v} * from[{_times(p, 'step')}];" for v, name in enumerate(row))
        for p, row in enumerate(sums)
    )
    stores = "\n".join(
        f"    STORE(y + {_times(p, 'pixel')}{f' + {v} * LANES' if v else ''}, {name});"
        for p, row in enumerate(sums)
        for v, name in enumerate(row)
    )
    unused = "\n    (void)step;\n    (void)pixel;" if pixels == 1 else ""
    return f"""
INLINE void tile_{pixels}x{vectors}({TILE_ARGUMENTS})
{{
    {starts}
    const vec lowest = low - (vec){{0.0f}}, highest = high - (vec){{0.0f}};
    vec {names};{unused}
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < runs; j++) {{
            const float *from = x + i * row + j * run;
            for (int k = 0; k < length; k++, from++, w += channels) {{
                {loads}
{adds}
            }}
        }}
{stores}
}}
"""


def _times(count: int, name: str) -> str:
    return "0" if not count else name if count == 1 else f"{count} * {name}"


def _row(pixels: int) -> str:
    """Write what computes a row of output pixels, all channels."""
    call = "from, step, rows, row, runs, run, length, w + c, channels, b + c, low, high, to + c, pixel"
    return f"""
/* A row of a convolution, {pixels} pixels at a time; where they do not divide it, the last ones are computed twice. */
INLINE void row_{pixels}({TILE_ARGUMENTS}, int width)
{{
    for (int at = 0; at < width; at += {pixels}) {{
        const int first = at + {pixels} <= width ? at : width - {pixels};
        const float *from = x + first * step;
        float *to = y + first * pixel;
        int c = 0;
#ifdef VECTORS
        for (; c + 2 * LANES <= channels; c += 2 * LANES)
            tile_{pixels}x2({call});
#endif
        for (; c < channels; c += LANES)
            tile_{pixels}x1({call});
    }}
}}
"""


def _depth(pixels: int) -> str:
    sums = ", ".join(f"s{p} = start" for p in range(pixels))
    adds = " ".join(f"s{p} += weight * LOAD(from + {_times(p, 'step')});" for p in range(pixels))
    unused = "\n    (void)step;\n    (void)pixel;" if pixels == 1 else ""
    stores = " ".join(f"STORE(y + {_times(p, 'pixel')}, s{p});" for p in range(pixels))
    return f"""
INLINE void depth_{pixels}({DEPTH_ARGUMENTS})
{{
    const vec start = LOAD(b), lowest = low - (vec){{0.0f}}, highest = high - (vec){{0.0f}};
    vec {sums};{unused}
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++, w += channels) {{
            const float *from = x + i * row + j * column;
            const vec weight = LOAD(w);
            {adds}
        }}
    {stores}
}}
"""


def _depth_row(pixels: int) -> str:
    return f"""
/* The same where each channel is filtered alone. */
INLINE void depth_row_{pixels}({DEPTH_ARGUMENTS}, int width)
{{
    for (int at = 0; at < width; at += {pixels}) {{
        const int first = at + {pixels} <= width ? at : width - {pixels};
        for (int c = 0; c < channels; c += LANES)
            depth_{pixels}(x + first * step + c, step, rows, row, columns, column, w + c, channels, b + c,
                low, high, y + first * pixel + c, pixel);
    }}
}}
"""
