"""Small C functions that only some networks need, by name; those that later ones call stand first."""

from __future__ import annotations

from gonogo.export.c.kernels_int8 import FILL_BORDER, GROUPED, QUANTIZED, ROUNDED
from gonogo.export.c.kernels_int8 import MAX_POOL as Q_MAX_POOL

SQUARE = """
static inline float square(float value)
{
    return value * value;
}
"""
# Asked this way round, what is not a number stays none.
LARGER = """
static inline float larger(float value, float other)
{
    return value < other ? other : value;
}
"""
SMALLER = """
static inline float smaller(float value, float other)
{
    return value > other ? other : value;
}
"""
SIGMOID = """
static inline float sigmoid(float value)
{
    return 1.0f / (1.0f + expf(-value));
}
"""
GELU = """
static inline float gelu(float value)
{
    return 0.5f * value * (1.0f + erff(value * 0.70710678118654752f));
}
"""
ZERO_BORDER = """
/* Zeros around a picture, for convolutions that look beyond its border. */
static void zero_border(float *picture, int rows, int columns, int above, int left, int height, int width, int pixel)
{
    const int line = columns * pixel;
    memset(picture, 0, (size_t)(above * line) * sizeof(float));
    for (int i = above; i < above + height; i++) {
        float *const row = picture + i * line;
        memset(row, 0, (size_t)(left * pixel) * sizeof(float));
        memset(row + (left + width) * pixel, 0, (size_t)((columns - left - width) * pixel) * sizeof(float));
    }
    memset(picture + (above + height) * line, 0, (size_t)((rows - above - height) * line) * sizeof(float));
}
"""
GROUPED_ROW = """
/* A row of a convolution whose channels are in groups, one number after the other. */
static void grouped_row(const float *x, int step, int rows, int row, int columns, int column, int depth,
    const float *w, int channels, int together, const float *b, float low, float high, float *y, int pixel, int width)
{
    for (int at = 0; at < width; at++)
        for (int c = 0; c < channels; c++) {
            const float *from = x + at * step + c / together * depth, *weight = w + c * rows * columns * depth;
            float sum = b[c];
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < columns; j++)
                    for (int k = 0; k < depth; k++)
                        sum += from[i * row + j * column + k] * *weight++;
            y[at * pixel + c] = sum < low ? low : sum > high ? high : sum;
        }
}
"""
_WINDOW = """const float *x, float *y, int height, int width, int line, int pixel, int rows, int columns,
    int out_line, int out_pixel, int channels, int tall, int wide, int down, int along, int above, int left"""
_WALK = """    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            const int first = i * down - above, start = j * along - left;
            const int top = first < 0 ? 0 : first, from = start < 0 ? 0 : start;
            const int bottom = first + tall < height ? first + tall : height;
            const int to = start + wide < width ? start + wide : width;
            float *const sums = y + i * out_line + j * out_pixel;
"""
MAX_POOL = f"""
static void max_pool({_WINDOW})
{{
{_WALK}            for (int c = 0; c < channels; c++)
                sums[c] = -INFINITY;
            for (int k = top; k < bottom; k++)
                for (int l = from; l < to; l++)
                    for (int c = 0; c < channels; c++)
                        sums[c] = larger(x[k * line + l * pixel + c], sums[c]);
        }}
}}
"""
AVG_POOL = f"""
static void avg_pool({_WINDOW}, int whole)
{{
{_WALK}            const float share = 1.0f / (float)(whole ? tall * wide : (bottom - top) * (to - from));
            for (int c = 0; c < channels; c++)
                sums[c] = 0.0f;
            for (int k = top; k < bottom; k++)
                for (int l = from; l < to; l++)
                    for (int c = 0; c < channels; c++)
                        sums[c] += x[k * line + l * pixel + c];
            for (int c = 0; c < channels; c++)
                sums[c] *= share;
        }}
}}
"""
HELPERS = {
    "rounded": ROUNDED,
    "quantized": QUANTIZED,
    "fill_border": FILL_BORDER,
    "q_max_pool": Q_MAX_POOL,
    "q_grouped_row": GROUPED,
    "square": SQUARE,
    "larger": LARGER,
    "smaller": SMALLER,
    "sigmoid": SIGMOID,
    "gelu": GELU,
    "zero_border": ZERO_BORDER,
    "grouped_row": GROUPED_ROW,
    "max_pool": MAX_POOL,
    "avg_pool": AVG_POOL,
}
