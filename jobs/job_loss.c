/* train.loss of a job file: its terms, which keys each takes, and the losses they mean. */
#include "jobs/job_loss.h"
#include "jobs/job.h"

#include <stdio.h>
#include <string.h>

#define TERM(member) SG_YAML_AT(sg_job_term, member)

const sg_yaml_field sg_job_term_fields[] = {
    {"name", SG_YAML_ENUM, TERM(name),
     .allowed = "ce|bce|focal|boundary|dice|jaccard|tversky|lovasz"},
    {"weight", SG_YAML_FLOAT, TERM(weight), .min = 1e-6, .max = 1e6, .fallback = "1"},
    {"smoothing", SG_YAML_FLOAT, TERM(smoothing), .min = 0, .max = 0.9, .fallback = "0"},
    {"gamma", SG_YAML_FLOAT, TERM(gamma), .min = 0.1, .max = 10, .fallback = "2"},
    {"peak", SG_YAML_FLOAT, TERM(peak), .min = 0.01, .max = 1000, .fallback = "10"},
    {"sigma", SG_YAML_FLOAT, TERM(sigma), .min = 0.1, .max = 100, .fallback = "5"},
    {"between", SG_YAML_STRING, TERM(between), .max = SG_CLASS_NAME_MAX - 1, .fallback = ""},
    {"alpha", SG_YAML_FLOAT, TERM(alpha), .min = 0, .max = 10, .fallback = "0.3"},
    {"beta", SG_YAML_FLOAT, TERM(beta), .min = 0.01, .max = 10, .fallback = "0.7"},
    {"smooth", SG_YAML_FLOAT, TERM(smooth), .min = 0, .max = 1e9, .fallback = "1"},
    {0}};

/* What a name means where the term says nothing else, and the keys that it takes beside name and
 * weight. */
typedef struct {
    const char *name, *keys;
    sg_loss_term term;
} meaning;

static const meaning meanings[SG_TERM_KINDS] = {
    [SG_TERM_CE] = {"ce", " smoothing ", {SG_OP_softmax_loss, {0}}},
    /* the softmax of two is the sigmoid of their difference */
    [SG_TERM_BCE] = {"bce", " smoothing ", {SG_OP_softmax_loss, {0}}},
    [SG_TERM_FOCAL] = {"focal", " gamma ", {SG_OP_softmax_loss, {0}}},
    [SG_TERM_BOUNDARY] = {"boundary", " peak sigma between ", {SG_OP_softmax_loss, {.border = 1}}},
    [SG_TERM_DICE] = {"dice", " smooth ", {SG_OP_region_loss, {.alpha = 0.5f, .beta = 0.5f}}},
    [SG_TERM_JACCARD] = {"jaccard", " smooth ", {SG_OP_region_loss, {.alpha = 1, .beta = 1}}},
    [SG_TERM_TVERSKY] = {"tversky", " smooth alpha beta ", {SG_OP_region_loss, {0}}},
    [SG_TERM_LOVASZ] = {"lovasz", " ", {SG_OP_lovasz_loss, {0}}},
};

static bool takes(const meaning *m, const char *key)
{
    char word[32];
    snprintf(word, sizeof(word), " %s ", key);
    return strstr(m->keys, word) != NULL;
}

/* A key that means nothing to the term is a mistake. "train.loss[1].gamma" is given by name only,
 * as a job that is written out has all keys: it must differ from its default. */
static sg_err check_keys(const sg_job *job, size_t i, const sg_job_term *term, const meaning *m)
{
    const struct {
        const char *key;
        bool set;
    } keys[] = {
        {"smoothing", term->smoothing != 0}, {"gamma", term->gamma != 2},
        {"peak", term->peak != 10},          {"sigma", term->sigma != 5},
        {"between", *term->between != 0},    {"alpha", term->alpha != 0.3},
        {"beta", term->beta != 0.7},         {"smooth", term->smooth != 1},
    };
    for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++) {
        char place[64];
        snprintf(place, sizeof(place), "train.loss[%zu].%s", i, keys[k].key);
        if (keys[k].set && !takes(m, keys[k].key))
            return sg_yaml_fail(job->yaml, place, "%s does not take it; it takes weight%s", m->name,
                                m->keys);
    }
    return SG_OK;
}

static sg_err find_between(const sg_job *job, size_t i, const sg_job_term *term,
                           sg_border_options *border)
{
    const sg_job_class *class = job->data.classes.item;
    char place[64];
    snprintf(place, sizeof(place), "train.loss[%zu].between", i);
    *border = (sg_border_options){(float)term->peak, (float)term->sigma, SG_BORDER_EDGES};
    if (term->between[0] == '\0')
        return SG_OK;
    for (size_t c = 0; c < job->data.classes.count; c++)
        if (strcmp(class[c].name, term->between) == 0)
            border->of_class = (int32_t)c;
    return border->of_class >= 0
               ? SG_OK
               : sg_yaml_fail(job->yaml, place, "there is no class \"%s\"", term->between);
}

static sg_err add_term(const sg_job *job, size_t i, sg_loss *loss)
{
    const sg_job_term *term = (const sg_job_term *)job->train.loss.item + i;
    const meaning *m = &meanings[term->name];
    sg_loss_term *to = &loss->term[i];
    char place[64];
    snprintf(place, sizeof(place), "train.loss[%zu]", i);
    sg_err err = check_keys(job, i, term, m);
    for (size_t k = 0; err == SG_OK && k < i; k++)
        if (strcmp(loss->name[k], m->name) == 0)
            err = sg_yaml_fail(job->yaml, place, "%s is there already; sum up their weights",
                               m->name);
    if (err == SG_OK && term->name == SG_TERM_BCE && job->data.classes.count != 2)
        err = sg_yaml_fail(job->yaml, place, "bce is for two classes, there are %zu; use ce",
                           job->data.classes.count);
    if (err == SG_OK && term->name == SG_TERM_BOUNDARY)
        err = find_between(job, i, term, &loss->border);
    if (err != SG_OK)
        return err;
    snprintf(loss->name[i], sizeof(loss->name[i]), "%s", m->name);
    *to = m->term;
    to->attr.weight = (float)term->weight;
    to->attr.smoothing = takes(m, "smoothing") ? (float)term->smoothing : 0;
    to->attr.gamma = takes(m, "gamma") ? (float)term->gamma : 0;
    to->attr.smooth = takes(m, "smooth") ? (float)term->smooth : 0;
    to->attr.alpha = takes(m, "alpha") ? (float)term->alpha : m->term.attr.alpha;
    to->attr.beta = takes(m, "beta") ? (float)term->beta : m->term.attr.beta;
    return SG_OK;
}

static sg_err add_aux(const sg_job *job, sg_loss *loss)
{
    const double usual = 0.4;
    if (!job->model.aux && job->train.aux_weight != usual)
        return sg_yaml_fail(job->yaml, "train.aux_weight",
                            "is of auxiliary heads, which model.aux: true asks for");
    if (!job->model.aux)
        return SG_OK;
    if (loss->terms == SG_MAX_TERMS)
        return sg_yaml_fail(job->yaml, "train.loss", "with auxiliary heads at most %d terms",
                            SG_MAX_TERMS - 1);
    loss->aux_weight = (float)job->train.aux_weight;
    snprintf(loss->name[loss->columns++], sizeof(loss->name[0]), "aux");
    return SG_OK;
}

sg_err sg_job_loss(const sg_job *job, sg_loss *loss)
{
    sg_err err = SG_OK;
    memset(loss, 0, sizeof(*loss));
    loss->border.of_class = SG_BORDER_EDGES;
    loss->terms = loss->columns = (int32_t)job->train.loss.count;
    for (size_t i = 0; err == SG_OK && i < job->train.loss.count; i++)
        err = add_term(job, i, loss);
    return err == SG_OK ? add_aux(job, loss) : err;
}
