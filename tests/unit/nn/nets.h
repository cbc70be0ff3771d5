/* Small networks for the tests of nn; every failure to build is a failed assertion. */
#ifndef SG_TESTS_NN_NETS_H
#define SG_TESTS_NN_NETS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "nn/graph.h"

static inline void must(sg_err err)
{
    if (err)
        fail_msg("error %d: %s", err, sg_error_text());
}

/* err is `code` and its text holds `word`. */
static inline void must_fail(sg_err err, sg_err code, const char *word)
{
    if (err != code || !strstr(sg_error_text(), word))
        fail_msg("error %d (wanted %d), text \"%s\" (wanted \"%s\")", err, code, sg_error_text(),
                 word);
}

static inline sg_graph *net_new(int32_t bands, int32_t *tensor)
{
    sg_graph *graph;
    must(sg_graph_create(&graph));
    must(sg_graph_input(graph, bands, tensor));
    return graph;
}

static inline int32_t net_conv(sg_graph *g, const char *name, int32_t in, int32_t channels,
                               int32_t kernel, int32_t bias)
{
    int32_t out;
    must(sg_graph_conv(g, name, in, channels, kernel, 1, kernel / 2, bias, &out));
    return out;
}

static inline int32_t net_norm(sg_graph *g, const char *name, int32_t in)
{
    int32_t out;
    sg_attr attr = {.norm = {.epsilon = 1e-5f, .momentum = .1f}};
    must(sg_graph_add(g, SG_OP_batch_norm, name, &attr, &in, 1, &out));
    return out;
}

static inline int32_t net_act(sg_graph *g, const char *name, int32_t in, sg_act act)
{
    int32_t out;
    must(sg_graph_activation(g, name, in, act, &out));
    return out;
}

static inline int32_t net_join(sg_graph *g, sg_op op, const char *name, int32_t a, int32_t b)
{
    int32_t out, in[] = {a, b};
    must(sg_graph_add(g, op, name, NULL, in, 2, &out));
    return out;
}

/* A window operator without padding whose stride is its kernel: pooling, transposed convolution. */
static inline int32_t net_window(sg_graph *g, sg_op op, const char *name, int32_t in, int32_t size,
                                 int32_t channels)
{
    int32_t out;
    sg_attr attr = {.window = {size, size, size, size, 1, 1, .groups = 1}};
    attr.window.out_channels = channels;
    attr.window.bias = channels > 0;
    must(sg_graph_add(g, op, name, &attr, &in, 1, &out));
    return out;
}

/* scale 0: to the size of `like`. */
static inline int32_t net_resize(sg_graph *g, const char *name, int32_t in, int32_t scale,
                                 int32_t like)
{
    int32_t out, both[] = {in, like};
    sg_attr attr = {.resize = {.scale_h = scale, .scale_w = scale}};
    must(sg_graph_add(g, SG_OP_resize, name, &attr, both, scale ? 1 : 2, &out));
    return out;
}

static inline int32_t net_global(sg_graph *g, const char *name, int32_t in)
{
    int32_t out;
    sg_attr attr = {.global = {SG_POOL_MEAN}};
    must(sg_graph_add(g, SG_OP_global_pool, name, &attr, &in, 1, &out));
    return out;
}

static inline int32_t net_dropout(sg_graph *g, const char *name, int32_t in, float rate)
{
    int32_t out;
    sg_attr attr = {.dropout = {rate}};
    must(sg_graph_add(g, SG_OP_dropout, name, &attr, &in, 1, &out));
    return out;
}

static inline int32_t net_layer(sg_graph *g, const char *stage, int32_t in, int32_t channels)
{
    char name[SG_NAME_MAX];
    snprintf(name, sizeof name, "%s.conv", stage);
    int32_t t = net_conv(g, name, in, channels, 3, 0);
    snprintf(name, sizeof name, "%s.bn", stage);
    t = net_norm(g, name, t);
    snprintf(name, sizeof name, "%s.relu", stage);
    return net_act(g, name, t, SG_ACT_RELU);
}

static inline sg_graph *net_done(sg_graph *g, int32_t in)
{
    net_conv(g, "head", in, 3, 1, 1);
    g->node[g->nodes - 1].out_f32 = 1;
    must(sg_graph_freeze(g));
    return g;
}

static inline sg_graph *net_plain(void)
{
    int32_t t;
    sg_graph *g = net_new(2, &t);
    t = net_layer(g, "a", t, 4);
    return net_done(g, net_layer(g, "b", t, 5));
}

/* Two levels, a skip. */
static inline sg_graph *net_unet(void)
{
    int32_t t;
    sg_graph *g = net_new(2, &t);
    int32_t skip = net_layer(g, "a", t, 3);
    t = net_window(g, SG_OP_max_pool, "pool", skip, 2, 0);
    t = net_layer(g, "b", t, 4);
    t = net_window(g, SG_OP_conv_transpose, "up", t, 2, 3);
    t = net_join(g, SG_OP_concat, "join", t, skip);
    return net_done(g, net_layer(g, "c", t, 3));
}

/* Tensors that several nodes read, one node that reads a tensor twice, the input read twice. */
static inline sg_graph *net_residual(void)
{
    int32_t in, t;
    sg_graph *g = net_new(3, &in);
    t = net_layer(g, "a", in, 4);
    int32_t u = net_norm(g, "b.bn", net_conv(g, "b", t, 4, 3, 0));
    t = net_act(g, "sum.relu", net_join(g, SG_OP_add, "sum", t, u), SG_ACT_RELU);
    u = net_join(g, SG_OP_concat, "twice", t, t);
    u = net_join(g, SG_OP_concat, "again", u, in);
    u = net_conv(g, "c", u, 4, 1, 1);
    t = net_join(g, SG_OP_add, "double", t, t);
    return net_done(g, net_join(g, SG_OP_add, "end", t, u));
}

/* Image pooling and resizing, as in DeepLab's pyramid. */
static inline sg_graph *net_pyramid(void)
{
    int32_t in, t;
    sg_graph *g = net_new(2, &in);
    must(sg_graph_conv(g, "down", in, 4, 3, 2, 1, 0, &t));
    t = net_act(g, "down.silu", net_norm(g, "down.bn", t), SG_ACT_SILU);
    int32_t pooled = net_conv(g, "image", net_global(g, "pooled", t), 2, 1, 1);
    pooled = net_resize(g, "spread", pooled, 0, t);
    int32_t mean = net_window(g, SG_OP_avg_pool, "mean", t, 2, 0);
    mean = net_resize(g, "mean.up", mean, 2, -1);
    t = net_join(g, SG_OP_concat, "join", net_join(g, SG_OP_concat, "both", t, mean), pooled);
    t = net_dropout(g, "drop", net_layer(g, "b", t, 3), .25f);
    return net_done(g, net_resize(g, "up", t, 0, in));
}

enum { NETS = 4 };
static inline sg_graph *net_number(int i)
{
    static sg_graph *(*const make[NETS])(void) = {net_plain, net_unet, net_residual, net_pyramid};
    return make[i]();
}

/* A random network of 3 to 20 layers, all at one size but for what pools and comes back. Whatever
 * nothing reads is joined at the end. */
static inline uint32_t net_random(uint64_t *state, uint32_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % below;
}

/* Channels are multiples of `unit` but for what the input's get into. */
static inline int32_t net_random_node(sg_graph *g, uint64_t *state, const int32_t *all,
                                      int32_t count, int i, int32_t unit)
{
    char name[SG_NAME_MAX];
    snprintf(name, sizeof name, "n%d", i);
    int32_t a = all[net_random(state, (uint32_t)count)];
    int32_t b = all[net_random(state, (uint32_t)count)];
    switch (net_random(state, 8)) {
    case 0:
        return net_norm(g, name, a);
    case 1:
        return net_act(g, name, a, (sg_act)(1 + net_random(state, SG_ACT_COUNT - 1)));
    case 2:
        return net_join(g, SG_OP_concat, name, a, b);
    case 3:
        return g->tensor[a].channels == g->tensor[b].channels ? net_join(g, SG_OP_add, name, a, b)
                                                              : net_join(g, SG_OP_add, name, a, a);
    case 4:
        a = net_window(g, SG_OP_max_pool, name, a, 2, 0);
        snprintf(name, sizeof name, "n%d.up", i);
        return net_window(g, SG_OP_conv_transpose, name, a, 2, 3 * unit);
    case 5:
        return net_dropout(g, name, a, .5f);
    default:
        return net_conv(g, name, a, unit * (1 + (int32_t)net_random(state, 4)), 3,
                        (int32_t)net_random(state, 2));
    }
}

static inline int32_t net_unread(const sg_graph *g, int32_t *unread)
{
    int32_t count = 0;
    for (int32_t t = 0; t < g->tensors; t++) {
        int read = 0;
        for (int32_t n = 0; n < g->nodes; n++) {
            for (int32_t i = 0; i < g->node[n].inputs; i++)
                read |= g->node[n].input[i] == t;
        }
        if (!read)
            unread[count++] = t;
    }
    return count;
}

static inline sg_graph *net_of_width(uint64_t seed, int32_t unit)
{
    enum { MOST = 64 };
    int32_t all[MOST], unread[MOST] = {0}, count = 1;
    uint64_t state = seed;
    sg_graph *g = net_new(2, &all[0]);
    int nodes = 3 + (int)net_random(&state, 18);
    for (int i = 0; i < nodes; i++, count++)
        all[count] = net_random_node(g, &state, all, count, i, unit);
    int32_t left = net_unread(g, unread);
    int32_t t = unread[0];
    for (int32_t i = 1; i < left; i++) {
        char name[SG_NAME_MAX];
        snprintf(name, sizeof name, "join%d", (int)i);
        t = net_join(g, SG_OP_concat, name, t, unread[i]);
    }
    return net_done(g, t);
}

static inline sg_graph *net_of_seed(uint64_t seed)
{
    return net_of_width(seed, 1);
}

/* As net_unet, of so many channels. */
static inline sg_graph *net_wide_unet(int32_t width)
{
    int32_t t;
    sg_graph *g = net_new(2, &t);
    int32_t skip = net_layer(g, "a", t, width);
    t = net_window(g, SG_OP_max_pool, "pool", skip, 2, 0);
    t = net_layer(g, "b", t, 2 * width);
    t = net_window(g, SG_OP_conv_transpose, "up", t, 2, width);
    t = net_join(g, SG_OP_concat, "join", t, skip);
    return net_done(g, net_layer(g, "c", t, width));
}

#endif
