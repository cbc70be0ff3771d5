#include "inputs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void list(const input *inputs, int count)
{
    for (int i = 0; i < count; i++)
        printf("%-12s %-10g %s\n", inputs[i].key, inputs[i].value, inputs[i].help);
}

static void set(input *inputs, int count, const char *word)
{
    const char *equals = strchr(word, '=');
    for (int i = 0; equals && i < count; i++) {
        size_t length = (size_t)(equals - word);
        char *end = NULL;
        if (strlen(inputs[i].key) != length || memcmp(inputs[i].key, word, length) != 0)
            continue;
        inputs[i].value = strtod(equals + 1, &end);
        if (end != equals + 1 && *end == '\0')
            return;
        fprintf(stderr, "%s: expected a number\n", word);
        exit(2);
    }
    fprintf(stderr, "%s: no such input; \"help\" lists them\n", word);
    exit(2);
}

void read_inputs(input *inputs, int count, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "help") == 0) {
            list(inputs, count);
            exit(0);
        }
        set(inputs, count, argv[i]);
    }
}

/* splitmix64 */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

double draw(uint64_t who, uint64_t when)
{
    const double pi = 3.14159265358979323846;
    uint64_t a = mix(mix(who) ^ when), b = mix(a);
    double u = ((double)(a >> 11) + 0.5) / 9007199254740992.0;
    double v = (double)(b >> 11) / 9007199254740992.0;
    return sqrt(-2 * log(u)) * cos(2 * pi * v);
}

double draw_most(uint64_t who, uint64_t when, int n)
{
    double most = draw(who * (uint64_t)n, when);
    for (int i = 1; i < n; i++)
        most = fmax(most, draw(who * (uint64_t)n + (uint64_t)i, when));
    return most;
}
