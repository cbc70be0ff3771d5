#include "jobs/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 64 };

/* Edits (insert, delete, replace) that turn a into b; words longer than WORD_MAX count as far. */
static int edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int row[WORD_MAX + 1];
    if (a_length > WORD_MAX || b_length > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= b_length; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= a_length; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= b_length; j++) {
            int replace = diagonal + (a[i - 1] != b[j - 1]);
            int other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replace < other ? replace : other;
        }
    }
    return row[b_length];
}

const char *sg_nearest_word(const char *text, const char *words, char *word)
{
    int best = 4;
    const char *found = NULL;
    size_t text_length = strlen(text), found_length = 0;
    for (const char *w = words; *w != '\0';) {
        size_t length = strcspn(w, " ");
        int distance = edit_distance(text, text_length, w, length);
        /* A word that was begun ("prob" of "probabilities") is near as well. */
        if (text_length >= 3 && text_length < length && strncmp(text, w, text_length) == 0)
            distance = distance < 2 ? distance : 2;
        if (distance < best && distance < (int)length && length < WORD_MAX) {
            best = distance;
            found = w;
            found_length = length;
        }
        w += length;
        w += strspn(w, " ");
    }
    if (found == NULL)
        return NULL;
    memcpy(word, found, found_length);
    word[found_length] = '\0';
    return word;
}

static const char *program_of(const sg_usage *usage)
{
    return usage->program != NULL ? usage->program : "segtiles";
}

/* The command's name with the program's: what to type before --help. */
static const char *command_of(const sg_usage *usage, char text[WORD_MAX])
{
    int length = usage->program != NULL ? 0 : (int)strcspn(usage->synopsis, " ");
    snprintf(text, WORD_MAX, "%s%s%.*s", program_of(usage), length > 0 ? " " : "", length,
             usage->synopsis);
    return text;
}

static sg_err unknown_option(const sg_usage *usage, const char *given)
{
    sg_text names = {0};
    char word[WORD_MAX];
    size_t length = strcspn(given, "=");
    char name[WORD_MAX];
    snprintf(name, sizeof(name), "%.*s", (int)length, given);
    sg_err err = sg_text_add(&names, "help");
    for (const sg_option *o = usage->option; err == SG_OK && o->name != NULL; o++)
        err = sg_text_add(&names, " %s", o->name);
    if (err != SG_OK)
        goto done;
    const char *near = sg_nearest_word(name, names.data, word);
    if (near != NULL)
        err = sg_fail(SG_EUSAGE, "unknown option --%s; did you mean --%s?", name, near);
    else
        err = sg_fail(SG_EUSAGE, "unknown option --%s; `%s --help` lists the options", name,
                      command_of(usage, word));
done:
    sg_text_clear(&names);
    return err;
}

static sg_err parse_choice(const sg_option *option, const char *value)
{
    size_t value_length = strlen(value);
    for (const char *w = option->choices; *w != '\0';) {
        size_t length = strcspn(w, " ");
        if (length == value_length && strncmp(w, value, length) == 0) {
            memcpy(option->target, value, value_length + 1);
            return SG_OK;
        }
        w += length;
        w += strspn(w, " ");
    }
    return sg_fail(SG_EUSAGE, "--%s %s: expected one of: %s", option->name, value, option->choices);
}

static sg_err parse_number(const sg_option *option, const char *value)
{
    char *end = NULL;
    errno = 0;
    bool whole = option->kind != SG_OPTION_REAL;
    long long integer = whole ? strtoll(value, &end, 10) : 0;
    double real = whole ? (double)integer : strtod(value, &end);
    if (errno != 0 || end == value || *end != '\0')
        return sg_fail(SG_EUSAGE, "--%s %s: expected a %snumber", option->name, value,
                       whole ? "whole " : "");
    bool limited = option->least != 0 || option->most != 0;
    if (limited && !(real >= option->least && real <= option->most))
        return sg_fail(SG_EUSAGE, "--%s %s: expected a number from %g to %g", option->name, value,
                       option->least, option->most);
    if (option->kind == SG_OPTION_INT && integer != (int32_t)integer)
        return sg_fail(SG_EUSAGE, "--%s %s: too large", option->name, value);
    if (option->kind == SG_OPTION_INT)
        *(int32_t *)option->target = (int32_t)integer;
    else if (option->kind == SG_OPTION_LONG)
        *(int64_t *)option->target = integer;
    else
        *(double *)option->target = real;
    return SG_OK;
}

static sg_err add_item(const sg_option *option, const char *value)
{
    sg_option_list *list = option->target;
    if (list->count == SG_OPTION_ITEMS_MAX)
        return sg_fail(SG_EUSAGE, "--%s %s: given more than %d times", option->name, value,
                       SG_OPTION_ITEMS_MAX);
    list->item[list->count++] = value;
    return SG_OK;
}

static sg_err take_value(const sg_option *option, const char *value)
{
    switch (option->kind) {
    case SG_OPTION_FLAG:
        *(int32_t *)option->target = 1;
        return SG_OK;
    case SG_OPTION_TEXT:
    case SG_OPTION_MAYBE:
        *(const char **)option->target = value;
        return SG_OK;
    case SG_OPTION_LIST:
        return add_item(option, value);
    case SG_OPTION_CHOICE:
        return parse_choice(option, value);
    default:
        return parse_number(option, value);
    }
}

static const sg_option *find_option(const sg_usage *usage, const char *text, const char **value)
{
    bool is_long = text[1] == '-';
    const char *word = text + 1 + is_long;
    size_t length = strcspn(word, "=");
    for (const sg_option *o = usage->option; o->name != NULL; o++)
        if (strlen(o->name) == length && strncmp(o->name, word, length) == 0) {
            *value = word[length] == '=' ? word + length + 1 : NULL;
            return o;
        }
    for (const sg_option *o = usage->option; o->name != NULL; o++) {
        if (!is_long && o->letter != 0 && o->letter == text[1]) {
            *value = text[2] != '\0' ? text + 2 : NULL;
            return o;
        }
    }
    return NULL;
}

/* Numbers in one word, parted by commas or spaces: how many could be read, -1: something else. */
static int read_reals(const char *word, double *out, int most)
{
    int count = 0;
    while (*word) {
        char *end = NULL;
        double number = strtod(word, &end);
        if (end == word || count == most || (*end && !strchr(", ", *end)))
            return -1;
        out[count++] = number;
        word = end + (*end != '\0');
    }
    return count;
}

/* All in the first word, or in that and the words after it. */
static sg_err take_reals(const sg_option *option, const char *first, int argc, char **argv, int *i)
{
    sg_option_reals *reals = option->target;
    const char *word = first;
    reals->count = 0;
    for (;;) {
        int more = read_reals(word, reals->value + reals->count, reals->wanted - reals->count);
        if (more <= 0)
            return sg_fail(SG_EUSAGE, "--%s %s: expected %d numbers: %s", option->name, word,
                           reals->wanted, option->value);
        reals->count += more;
        if (reals->count == reals->wanted)
            return SG_OK;
        if (*i + 1 >= argc)
            return sg_fail(SG_EUSAGE, "--%s %s: expected %d numbers: %s", option->name, first,
                           reals->wanted, option->value);
        word = argv[++*i];
    }
}

/* One option at argv[*i]; *i moves on when its value is the next word. */
static sg_err parse_option(const sg_usage *usage, int argc, char **argv, int *i)
{
    char command[WORD_MAX];
    const char *text = argv[*i], *value = NULL;
    const sg_option *option = find_option(usage, text, &value);
    if (option == NULL && text[1] == '-')
        return unknown_option(usage, text + 2);
    if (option == NULL)
        return sg_fail(SG_EUSAGE, "unknown option %s; `%s --help` lists the options", text,
                       command_of(usage, command));
    if (option->kind == SG_OPTION_FLAG && value != NULL)
        return sg_fail(SG_EUSAGE, "%s: --%s takes no value", text, option->name);
    if (option->kind == SG_OPTION_MAYBE && value == NULL)
        value = "";
    if (option->kind != SG_OPTION_FLAG && value == NULL) {
        if (*i + 1 >= argc)
            return sg_fail(SG_EUSAGE, "%s needs a value: --%s %s", text, option->name,
                           option->value);
        value = argv[++*i];
    }
    return option->kind == SG_OPTION_REALS ? take_reals(option, value, argc, argv, i)
                                           : take_value(option, value);
}

static sg_err check_count(const sg_usage *usage, const sg_arguments *arguments)
{
    if (arguments->count < usage->least)
        return sg_fail(SG_EUSAGE, "%s is missing: %s %s",
                       usage->missing != NULL ? usage->missing : "an argument", program_of(usage),
                       usage->synopsis);
    if (usage->most >= 0 && arguments->count > usage->most)
        return sg_fail(SG_EUSAGE, "\"%s\" is one argument too many: %s %s",
                       arguments->item[usage->most], program_of(usage), usage->synopsis);
    return SG_OK;
}

static sg_err show_help(const sg_usage *usage, const sg_comm *comm)
{
    sg_text text = {0};
    sg_err err = sg_options_help(usage, &text);
    if (err == SG_OK && (comm == NULL || sg_comm_rank(comm) == 0)) {
        fputs(text.data, stdout);
        fflush(stdout);
    }
    sg_text_clear(&text);
    return err;
}

sg_err sg_options_parse(const sg_usage *usage, const sg_comm *comm, int argc, char **argv,
                        sg_arguments *arguments)
{
    *arguments = (sg_arguments){.item = argv + 1};
    bool only_arguments = false;
    for (int i = 1; i < argc; i++) {
        char *text = argv[i];
        if (only_arguments || text[0] != '-' || text[1] == '\0') {
            arguments->item[arguments->count++] = text;
        } else if (strcmp(text, "--") == 0) {
            only_arguments = true;
        } else if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0) {
            arguments->help = true;
            return show_help(usage, comm);
        } else {
            sg_err err = parse_option(usage, argc, argv, &i);
            if (err != SG_OK)
                return err;
        }
    }
    return check_count(usage, arguments);
}

static sg_err help_line(sg_text *text, const sg_option *option)
{
    char left[64];
    char letter[6] = "    ";
    if (option->letter != 0)
        snprintf(letter, sizeof(letter), "-%c, ", option->letter);
    bool maybe = option->kind == SG_OPTION_MAYBE;
    snprintf(left, sizeof(left), "%s--%s%s%s%s", letter, option->name,
             option->value == NULL ? ""
             : maybe               ? "[="
                                   : " ",
             option->value != NULL ? option->value : "", maybe ? "]" : "");
    sg_err err = sg_text_add(text, "  %-26s  %s", left, option->help);
    if (err == SG_OK && option->kind == SG_OPTION_CHOICE)
        err = sg_text_add(text, " (one of: %s)", option->choices);
    return err == SG_OK ? sg_text_add(text, "\n") : err;
}

sg_err sg_options_help(const sg_usage *usage, sg_text *text)
{
    static const sg_option common[] = {
        {.letter = 'q', .name = "quiet", .help = "say nothing but warnings and errors"},
        {.letter = 'v', .name = "verbose", .help = "say more"},
        {.letter = 'h', .name = "help", .help = "show this text"},
    };
    sg_err err = sg_text_add(text, "usage: %s %s\n\n%s\n\noptions:\n", program_of(usage),
                             usage->synopsis, usage->about);
    for (const sg_option *o = usage->option; err == SG_OK && o->name != NULL; o++)
        err = help_line(text, o);
    /* --quiet and --verbose are segtiles' own: main takes them. */
    for (size_t i = usage->program != NULL ? 2 : 0;
         err == SG_OK && i < sizeof(common) / sizeof(common[0]); i++)
        err = help_line(text, &common[i]);
    if (err == SG_OK && usage->more != NULL)
        err = sg_text_add(text, "\n%s\n", usage->more);
    return err;
}
