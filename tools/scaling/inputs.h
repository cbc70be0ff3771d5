/* key=value arguments of the simulated programs, and what both of them draw and print. [local] */
#ifndef SCALING_INPUTS_H
#define SCALING_INPUTS_H

#include <stdint.h>

typedef struct {
    const char *key;
    double value; /* the default, then what is given */
    const char *help;
} input;

/* Ends the process with status 2 where a key is unknown or a value is no number; "help" lists all
 * and ends it, too. last: behind the last of them. */
void read_inputs(input *inputs, int count, int argc, char **argv);

/* Of standard normal distribution, a function of its arguments alone. */
double draw(uint64_t who, uint64_t when);
/* The largest of n such, when n > 1. */
double draw_most(uint64_t who, uint64_t when, int n);

#endif
