"""The C functions that compute convolutions in whole numbers: uint8 pixels, int8 weights, int32 sums.

Integer sums are the same in any order, so plain C and vector types give the very same bits.
"""

from __future__ import annotations

from collections.abc import Iterable

ARGUMENTS = (
    "const uint8_t *x, int step, int rows, int row, int runs, int run, int length,\n"
    "    const int8_t *w, int channels, const int32_t *b, int32_t *y"
)
NAMES = "step, rows, row, runs, run, length"

VECTORS = """
#if (defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 9)) && !defined(GONOGO_PLAIN_C)
#define WHOLE_VECTORS 1
#ifdef __AVX2__
#define WHOLES 8
#else
#define WHOLES 4
#endif
typedef int32_t wholes __attribute__((vector_size(WHOLES * 4), aligned(4), may_alias));
#ifdef __AVX2__
/* GCC 12 takes a conversion from 8 to 32 bits apart, number by number. */
#include <immintrin.h>
#define WIDEN(place) ((wholes)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(place))))
#define WIDEN_PIXELS(place) ((wholes)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(place))))
#else
typedef int8_t bytes __attribute__((vector_size(WHOLES), aligned(1), may_alias));
typedef uint8_t codes __attribute__((vector_size(WHOLES), aligned(1), may_alias));
#define WIDEN(place) __builtin_convertvector(*(const bytes *)(place), wholes)
#define WIDEN_PIXELS(place) __builtin_convertvector(*(const codes *)(place), wholes)
#endif
#define WHOLE(place) (*(const wholes *)(place))
#define KEEP(place, value) (*(wholes *)(place) = (value))
#define WHOLE_INLINE static inline __attribute__((always_inline))
#elif defined(__GNUC__)
#define WHOLE_INLINE static inline __attribute__((always_inline))
#else
#define WHOLE_INLINE static
#endif
"""
STEPS = """
/* A row of sums to steps of the output: one product for each, rounded, and whole numbers before and after it. */
WHOLE_INLINE void q_steps(const int32_t *restrict sums, int channels, int count, int width,
    const int32_t *restrict ceiling, const int32_t *restrict shift, const float *restrict factor,
    const uint8_t *restrict added, int added_pixel, int32_t added_zero, float ratio,
    int32_t zero, int32_t low, int32_t high, uint8_t *restrict y, int pixel)
{
    for (int j = 0; j < width; j++, sums += channels, y += pixel)
        for (int c = 0; c < count; c++) {
            int32_t sum = sums[c];
            if (ceiling != NULL)
                sum = sum < 0 ? 0 : sum > ceiling[c] ? ceiling[c] : sum;
            if (shift != NULL)
                sum += shift[c];
            int32_t at = rounded((float)sum * factor[c]) + zero;
            if (added != NULL)
                at += rounded((float)(added[j * added_pixel + c] - added_zero) * ratio);
            y[c] = (uint8_t)(at < low ? low : at > high ? high : at);
        }
}
"""

PLAIN = f"""
static void q_plain(int pixels, {ARGUMENTS})
{{
    int32_t sum[7][8];
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < 8; c++)
            sum[p][c] = b[c];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < runs; j++)
            for (int k = 0; k < length; k++, w += channels)
                for (int p = 0; p < pixels; p++) {{
                    const int32_t value = x[i * row + j * run + k + p * step];
                    for (int c = 0; c < 8; c++)
                        sum[p][c] += w[c] * value;
                }}
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < 8; c++)
            y[p * channels + c] = sum[p][c];
}}
"""
DEPTH = f"""
/* A row of sums where each channel is filtered alone. */
static void q_depth_row({ARGUMENTS}, int width)
{{
    for (int at = 0; at < width; at++, x += step, y += channels)
#ifdef WHOLE_VECTORS
        for (int c = 0; c < channels; c += WHOLES) {{
            wholes sum = WHOLE(b + c);
            const int8_t *weight = w + c;
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < runs; j++, weight += channels)
                    sum += WIDEN(weight) * WIDEN_PIXELS(x + i * row + j * run + c);
            KEEP(y + c, sum);
        }}
#else
        for (int c = 0; c < channels; c++) {{
            int32_t sum = b[c];
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < runs; j++)
                    sum += w[(i * runs + j) * channels + c] * x[i * row + j * run + c];
            y[c] = sum;
        }}
#endif
    (void)length;
}}
"""
GROUPED = """
/* A row of sums where channels are in groups, one number after the other. */
static void q_grouped_row(const uint8_t *x, int step, int rows, int row, int columns, int column, int depth,
    const int8_t *w, int channels, int together, const int32_t *b, int32_t *y, int pixel, int width)
{
    for (int at = 0; at < width; at++)
        for (int c = 0; c < channels; c++) {
            const uint8_t *from = x + at * step + c / together * depth;
            const int8_t *weight = w + c * rows * columns * depth;
            int32_t sum = b[c];
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < columns; j++)
                    for (int k = 0; k < depth; k++)
                        sum += from[i * row + j * column + k] * *weight++;
            y[at * pixel + c] = sum;
        }
}
"""
ROUNDED = """
/* Round half to even, with one addition that leaves no room for a fraction. */
static inline int32_t rounded(float value)
{
    const float far = 2097152.0f, near = value < -far ? -far : value > far ? far : value;
    return (int32_t)((near + 12582912.0f) - 12582912.0f);
}
"""
QUANTIZED = """
static inline uint8_t quantized(float value, float inverse, int32_t zero)
{
    const int32_t step = rounded(value * inverse) + zero;
    return (uint8_t)(step < 0 ? 0 : step > 255 ? 255 : step);
}
"""
MAX_POOL = """
static void q_max_pool(const uint8_t *x, uint8_t *y, int height, int width, int line, int pixel, int rows, int columns,
    int out_line, int out_pixel, int channels, int tall, int wide, int down, int along, int above, int left)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            const int first = i * down - above, start = j * along - left;
            const int top = first < 0 ? 0 : first, from = start < 0 ? 0 : start;
            const int bottom = first + tall < height ? first + tall : height;
            const int to = start + wide < width ? start + wide : width;
            uint8_t *const most = y + i * out_line + j * out_pixel;
            memset(most, 0, (size_t)channels);
            for (int k = top; k < bottom; k++)
                for (int l = from; l < to; l++)
                    for (int c = 0; c < channels; c++)
                        if (x[k * line + l * pixel + c] > most[c])
                            most[c] = x[k * line + l * pixel + c];
        }
}
"""
FILL_BORDER = """
/* What stands for 0 around a picture, for convolutions that look beyond its border. */
static void fill_border(uint8_t *picture, int rows, int columns, int above, int left, int fill, int height, int width,
    int pixel)
{
    const int line = columns * pixel;
    memset(picture, fill, (size_t)(above * line));
    for (int i = above; i < above + height; i++) {
        memset(picture + i * line, fill, (size_t)(left * pixel));
        memset(picture + i * line + (left + width) * pixel, fill, (size_t)((columns - left - width) * pixel));
    }
    memset(picture + (above + height) * line, fill, (size_t)((rows - above - height) * line));
}
"""


def int8_kernels(dense: Iterable[int], *, depthwise: bool, grouped: bool) -> str:
    """Return the functions for tiles of so many pixels."""
    dense = sorted(set(dense))
    parts = [VECTORS, STEPS] if dense or depthwise or grouped else []
    if dense:
        tiles = "".join(_tile(pixels, vectors) for pixels in dense for vectors in (1, 2))
        parts.append(f"#ifdef WHOLE_VECTORS\n{tiles}#else\n{PLAIN}#endif\n")
        parts += [_row(pixels) for pixels in dense]
    return "".join([*parts, DEPTH if depthwise else ""])


def _tile(pixels: int, vectors: int) -> str:
    sums = [[f"s{p}{v}" for v in range(vectors)] for p in range(pixels)]
    names = ", ".join(f"{name} = b{v}" for row in sums for v, name in enumerate(row))
    loads = " ".join(f"const wholes w{v} = WIDEN(w{f' + {v} * WHOLES' if v else ''});" for v in range(vectors))
    starts = " ".join(f"const wholes b{v} = WHOLE(b{f' + {v} * WHOLES' if v else ''});" for v in range(vectors))
    adds = "\n".join(
        "                " + " ".join(f"{name} += w{v} * (int32_t)from[{p} * step];" for v, name in enumerate(row))
        for p, row in enumerate(sums)
    )
    stores = "\n".join(
        f"    KEEP(y + {p} * channels{f' + {v} * WHOLES' if v else ''}, {name});"
        for p, row in enumerate(sums)
        for v, name in enumerate(row)
    )
    return f"""
WHOLE_INLINE void q_tile_{pixels}x{vectors}({ARGUMENTS})
{{
    {starts}
    wholes {names};
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < runs; j++) {{
            const uint8_t *from = x + i * row + j * run;
            for (int k = 0; k < length; k++, from++, w += channels) {{
                {loads}
{adds}
            }}
        }}
{stores}
}}
"""


def _row(pixels: int) -> str:
    call = f"from, {NAMES}, w + c, channels, b + c, to + c"
    return f"""
/* A row of sums, {pixels} pixels at a time. */
WHOLE_INLINE void q_row_{pixels}({ARGUMENTS}, int width)
{{
    for (int at = 0; at < width; at += {pixels}) {{
        const int first = at + {pixels} <= width ? at : width - {pixels};
        const uint8_t *from = x + first * step;
        int32_t *to = y + first * channels;
        int c = 0;
#ifdef WHOLE_VECTORS
        for (; c + 2 * WHOLES <= channels; c += 2 * WHOLES)
            q_tile_{pixels}x2({call});
        for (; c < channels; c += WHOLES)
            q_tile_{pixels}x1({call});
#else
        for (; c < channels; c += 8)
            q_plain({pixels}, {call});
#endif
    }}
}}
"""
