/*
 * Command lines. A command describes its options once, in a table: parsing, checking and --help
 * all come from it. All [local] unless said otherwise.
 *
 * Accepted: --name VALUE, --name=VALUE, -l VALUE, -lVALUE, -- (what follows is no option). Options
 * and other arguments may be mixed. An option given twice: the last counts, unless it is a LIST.
 * Whole names stand behind one dash as well, as GDAL's users write them: -of COG, -te 0 0 100 100.
 */
#ifndef SG_JOBS_OPTIONS_H
#define SG_JOBS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/text.h"
#include "comm/comm.h"

typedef enum {
    SG_OPTION_FLAG,   /* target int32_t, set to 1; takes no value */
    SG_OPTION_TEXT,   /* target const char *, borrowed from argv */
    SG_OPTION_MAYBE,  /* as TEXT, but its value may be left out (then ""): --name or --name=VALUE */
    SG_OPTION_CHOICE, /* target char array that holds the longest of choices */
    SG_OPTION_INT,    /* target int32_t */
    SG_OPTION_LONG,   /* target int64_t */
    SG_OPTION_REAL,   /* target double */
    SG_OPTION_LIST,   /* target sg_option_list, which takes all that are given */
    SG_OPTION_REALS   /* target sg_option_reals: -name 1 2, --name 1,2, --name=1,2 */
} sg_option_kind;

enum { SG_OPTION_ITEMS_MAX = 32 };

typedef struct {
    const char *item[SG_OPTION_ITEMS_MAX]; /* borrowed from argv */
    int count;
} sg_option_list;

enum { SG_OPTION_REALS_MAX = 4 };

typedef struct {
    int wanted; /* how many there are, to be set before */
    int count;  /* 0: the option was not given, else wanted */
    double value[SG_OPTION_REALS_MAX];
} sg_option_reals;

typedef struct {
    char letter;      /* 0: none */
    const char *name; /* without dashes; NULL ends a table */
    sg_option_kind kind;
    void *target;        /* left as it is when the option is absent: set defaults before */
    const char *value;   /* what stands for the value in the help: "FILE" */
    const char *choices; /* space-separated words; CHOICE only */
    double least, most;  /* of numbers; both 0: any */
    const char *help;    /* one line, no full stop */
} sg_option;

typedef struct {
    const char *program;     /* NULL: "segtiles" */
    const char *synopsis;    /* "predict [options] SCENE" */
    const char *about;       /* a sentence or two */
    int least, most;         /* how many other arguments; most -1: any number */
    const char *missing;     /* what is missing when there are fewer: "a scene" */
    const sg_option *option; /* ends with name NULL */
    const char *more;        /* shown below the options, or NULL */
} sg_usage;

typedef struct {
    int count;
    char **item; /* the other arguments: inside argv, which is reordered */
    bool help;   /* --help was given and answered on rank 0: the command returns SG_OK at once */
} sg_arguments;

/* argv[0] is the command's name. comm may be NULL (one rank). SG_EUSAGE: unknown option (naming the
 * nearest known one), missing or impossible value, too few or too many arguments. */
sg_err sg_options_parse(const sg_usage *usage, const sg_comm *comm, int argc, char **argv,
                        sg_arguments *arguments);

/* The help text of a command, as --help prints it. */
sg_err sg_options_help(const sg_usage *usage, sg_text *text);

/* The word of a space-separated list that is nearest to text (fewest edits), NULL when none is
 * near. word: at least 64 bytes. */
const char *sg_nearest_word(const char *text, const char *words, char *word);

#define SG_DEVICE_WORDS "auto cpu cuda reference"
#define SG_PRECISION_WORDS "auto f32 bf16 tf32"

/* Rows for a table whose command computes: --device, --precision, --threads into sg_device_options
 * (see command.h). */
#define SG_DEVICE_OPTION_ROWS(options)                                                             \
    {.name = "device",                                                                             \
     .kind = SG_OPTION_CHOICE,                                                                     \
     .target = (options)->device,                                                                  \
     .value = "NAME",                                                                              \
     .choices = SG_DEVICE_WORDS,                                                                   \
     .help = "what computes; auto: a GPU where there is one"},                                     \
        {.name = "precision",                                                                      \
         .kind = SG_OPTION_CHOICE,                                                                 \
         .target = (options)->precision,                                                           \
         .value = "TYPE",                                                                          \
         .choices = SG_PRECISION_WORDS,                                                            \
         .help = "numbers in the network; auto: bf16 where the device is made for it"},            \
    {                                                                                              \
        .name = "threads", .kind = SG_OPTION_INT, .target = &(options)->threads, .value = "N",     \
        .most = 1024, .help = "computing threads of a rank (0: a fair share of the node)"          \
    }

#endif
