/* Ask a gauge about a photo: prints the verdict, the probability and the hottest place of the heat map.

   cc -std=c99 -O3 -march=native -I GAUGE examples/c/inspect.c GAUGE/gauge.c -lm -o inspect
   ./inspect photo.pgm

   The photo is a binary PGM (grey) or PPM (colour) of 8 bits, or raw pixels of the very size in a file called *.raw.
   Exit code: 0 go, 1 no-go, 2 the photo cannot be read, 3 review. */
#include "gauge.h"

#include <stdio.h>
#include <string.h>

#if GONOGO_WIDTH == 0
#error "this gauge takes any size that holds its crop; use gonogo_infer_size with a buffer of your camera's size"
#endif

static uint8_t pixels[GONOGO_WIDTH * GONOGO_HEIGHT * GONOGO_CHANNELS];
static const char *const names[GONOGO_CLASSES] = GONOGO_CLASS_NAMES;

static int fail(const char *path, const char *why)
{
    fprintf(stderr, "error: %s: %s; expected %d x %d pixels, 8 bits, %s\n", path, why, GONOGO_WIDTH, GONOGO_HEIGHT,
        GONOGO_CHANNELS == 1 ? "PGM (P5)" : "PPM (P6)");
    return 2;
}

/* The next number of a PGM's header, past blanks and comments; -1 where there is none. */
static int next_number(FILE *file)
{
    int c = fgetc(file), value = 0;
    while (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '#') {
        if (c == '#')
            while (c != '\n' && c != EOF)
                c = fgetc(file);
        c = fgetc(file);
    }
    if (c < '0' || c > '9')
        return -1;
    for (; c >= '0' && c <= '9' && value < 100000; c = fgetc(file))
        value = value * 10 + c - '0';
    return value; /* the one blank after it is read as well, as the format has it */
}

static int read_photo(const char *path)
{
    const char *const end = strrchr(path, '.');
    FILE *const file = fopen(path, "rb");
    if (file == NULL)
        return fail(path, "cannot be opened");
    const char *why = NULL;
    if (end == NULL || strcmp(end, ".raw") != 0) {
        const int kind = fgetc(file) == 'P' ? fgetc(file) : 0;
        const int width = next_number(file), height = next_number(file), most = next_number(file);
        if (kind != (GONOGO_CHANNELS == 1 ? '5' : '6') || most != 255)
            why = "another kind of file";
        else if (width != GONOGO_WIDTH || height != GONOGO_HEIGHT)
            why = "another size";
    }
    if (why == NULL && fread(pixels, 1, sizeof pixels, file) != sizeof pixels)
        why = "cut short";
    fclose(file);
    return why == NULL ? 0 : fail(path, why);
}

int main(int count, char **arguments)
{
    static gonogo_verdict told;
    static const char *const verdicts[] = {"go", "no-go", "review", "sorted"};
    static const int codes[] = {0, 1, 3, 0};
    if (count != 2) {
        fprintf(stderr, "usage: %s photo.pgm\n", arguments[0]);
        return 2;
    }
    if (read_photo(arguments[1]) != 0)
        return 2;
    if (gonogo_infer(pixels, &told) != GONOGO_OK)
        return fail(arguments[1], "refused by the gauge");
    int hottest = 0;
    for (int k = 1; k < GONOGO_HEAT_WIDTH * GONOGO_HEAT_HEIGHT; k++)
        if (told.heatmap[k] > told.heatmap[hottest])
            hottest = k;
    printf("%s %s %.6f cell %d,%d of %dx%d\n", verdicts[told.verdict], names[told.label], (double)told.prob,
        hottest % GONOGO_HEAT_WIDTH, hottest / GONOGO_HEAT_WIDTH, GONOGO_HEAT_WIDTH, GONOGO_HEAT_HEIGHT);
    return codes[told.verdict];
}
