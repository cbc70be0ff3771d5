#include "tools/landscape.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "base/size.h"

/* A field is a sum of layers. */
enum { FIELD_HEIGHT, FIELD_WATER, FIELD_LIGHT, FIELD_MOTTLE, FIELD_PARCELS, FIELD_GRAIN, FIELDS };

typedef struct {
    int field;
    int32_t spacing; /* pixels between nodes */
    int stepped;     /* 1: a node's value fills its cell; 0: interpolated */
    float weight;
} layer;

static const layer layers[] = {
    {FIELD_HEIGHT, 1024, 0, 1.0f}, {FIELD_HEIGHT, 256, 0, 0.8f}, {FIELD_HEIGHT, 64, 0, 0.5f},
    {FIELD_HEIGHT, 16, 0, 0.2f},   {FIELD_WATER, 512, 0, 1.0f},  {FIELD_WATER, 128, 0, 0.9f},
    {FIELD_WATER, 32, 0, 0.4f},    {FIELD_LIGHT, 2048, 0, 1.0f}, {FIELD_MOTTLE, 8, 0, 1.0f},
    {FIELD_PARCELS, 32, 1, 1.0f},  {FIELD_GRAIN, 4, 1, 1.0f},
};
enum { LAYERS = sizeof(layers) / sizeof(layers[0]) };

/* Standard deviation of an interpolated layer of uniform nodes, about; and of a stepped one. */
static const float smooth_deviation = 0.2f, step_deviation = 0.2887f;

typedef struct {
    const char *name;
    float place[2], texture[3];
    float reflectance[5]; /* blue, green, red, near infrared, short-wave infrared */
    uint8_t colour[3];
} kind;

static const kind kinds[] = {
    {"water", {-1.4f, 0.9f}, {0.05f, 0, 0}, {.06f, .05f, .04f, .02f, .01f}, {43, 131, 186}},
    {"forest", {0.5f, 0.9f}, {0.30f, 0, 0.05f}, {.03f, .05f, .04f, .28f, .14f}, {27, 120, 55}},
    {"grassland",
     {0.5f, -0.2f},
     {0.06f, 0, 0.02f},
     {.05f, .09f, .07f, .30f, .22f},
     {166, 217, 106}},
    {"cropland", {-0.5f, -0.1f}, {0.05f, 0.35f, 0}, {.05f, .09f, .08f, .29f, .23f}, {253, 174, 97}},
    {"built-up", {-0.6f, -1.5f}, {0.05f, 0, 0.45f}, {.11f, .13f, .15f, .21f, .24f}, {215, 25, 28}},
    {"bare", {1.5f, -1.0f}, {0.20f, 0, 0.05f}, {.10f, .13f, .17f, .24f, .29f}, {186, 186, 186}},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static kind kind_of(uint64_t nature, int32_t class)
{
    if (class < KINDS && nature == 0)
        return kinds[class];
    kind made = class < KINDS ? kinds[class] : (kind)
    {
        0
    };
    for (uint32_t i = 0; i < 5; i++) {
        sg_random4 r = sg_random(nature, SG_STREAM_SCENE, (uint64_t) class, 1000 + i);
        made.reflectance[i] = 0.02f + 0.38f * sg_uniform(r.v[0]);
        if (i < 3)
            made.texture[i] = 0.4f * sg_uniform(r.v[1]) * sg_uniform(r.v[2]);
        if (i < 2 && class >= KINDS)
            made.place[i] = 4 * sg_uniform(r.v[3]) - 2;
    }
    return made;
}

/* Reflectance at a band, from the five of the kind: bands are spread evenly over the spectrum. */
static float spectrum_at(const kind *of, int32_t band, int32_t bands)
{
    float at = bands > 1 ? 4.0f * (float)band / (float)(bands - 1) : 2.0f;
    int32_t low = at >= 4 ? 3 : (int32_t)at;
    float t = at - (float)low;
    return of->reflectance[low] * (1 - t) + of->reflectance[low + 1] * t;
}

sg_err landscape_create(landscape *land, uint64_t seed, uint64_t nature, int32_t bands,
                        int32_t classes)
{
    *land = (landscape){.seed = seed, .bands = bands, .classes = classes};
    sg_err err = sg_calloc((size_t)bands, (size_t)classes * sizeof(float), &land->spectrum);
    for (int32_t c = 0; err == SG_OK && c < classes; c++) {
        kind made = kind_of(nature, c);
        memcpy(land->place[c], made.place, sizeof(made.place));
        memcpy(land->texture[c], made.texture, sizeof(made.texture));
        for (int32_t b = 0; b < bands; b++)
            land->spectrum[c * bands + b] = spectrum_at(&made, b, bands);
    }
    return err;
}

void landscape_close(landscape *land)
{
    sg_free(land->spectrum);
    *land = (landscape){0};
}

sg_err landscape_classes(int32_t classes, sg_class_table *table)
{
    memset(table, 0, sizeof(*table));
    table->count = classes;
    for (int32_t c = 0; c < classes; c++) {
        sg_class *class = &table->item[c];
        class->value = c + 1;
        if (c < KINDS) {
            snprintf(class->name, sizeof(class->name), "%s", kinds[c].name);
            memcpy(class->colour, kinds[c].colour, sizeof(class->colour));
        } else {
            snprintf(class->name, sizeof(class->name), "class %d", c + 1);
        }
    }
    return sg_classes_complete(table);
}

/* The nodes of one layer above and below the row at hand, from the one left of the window on. */
typedef struct {
    int64_t first; /* index of the leftmost node */
    int64_t count;
    int64_t row;                  /* index of the node row in above, INT64_MIN at first */
    float *above, *below, *mixed; /* [count] */
    float *ease;                  /* [spacing] weight of the right node at each pixel of a cell */
} layer_nodes;

struct painter {
    const landscape *land;
    int64_t x, width;
    layer_nodes nodes[LAYERS];
    float *field[FIELDS]; /* [width] each, deviations of about 1 */
    float *memory;
};

static float ease(float t)
{
    return t * t * (3 - 2 * t);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

sg_err painter_create(painter **out, const landscape *land, int64_t x, int64_t width)
{
    painter *brush = NULL;
    size_t floats = (size_t)width * FIELDS;
    *out = NULL;
    for (int i = 0; i < LAYERS; i++)
        floats += 3 * ((size_t)width / (size_t)layers[i].spacing + 3) + (size_t)layers[i].spacing;
    sg_err err = sg_calloc(1, sizeof(*brush), &brush);
    if (err == SG_OK)
        err = sg_calloc(floats, sizeof(float), &brush->memory);
    if (err != SG_OK) {
        sg_free(brush);
        return err;
    }
    brush->land = land;
    brush->x = x;
    brush->width = width;
    float *next = brush->memory;
    for (int f = 0; f < FIELDS; f++, next += width)
        brush->field[f] = next;
    for (int i = 0; i < LAYERS; i++) {
        layer_nodes *nodes = &brush->nodes[i];
        int32_t spacing = layers[i].spacing;
        nodes->first = floor_div(x, spacing);
        nodes->count = width / spacing + 3;
        nodes->row = INT64_MIN;
        nodes->above = next;
        nodes->below = nodes->above + nodes->count;
        nodes->mixed = nodes->below + nodes->count;
        nodes->ease = nodes->mixed + nodes->count;
        next = nodes->ease + spacing;
        for (int32_t p = 0; p < spacing; p++)
            nodes->ease[p] = ease((float)p / (float)spacing);
    }
    *out = brush;
    return SG_OK;
}

void painter_close(painter *brush)
{
    if (brush == NULL)
        return;
    sg_free(brush->memory);
    sg_free(brush);
}

static void fill_nodes(const painter *brush, int index, int64_t row, float *values)
{
    const layer_nodes *nodes = &brush->nodes[index];
    float deviation = layers[index].stepped ? step_deviation : smooth_deviation;
    float scale = layers[index].weight / deviation;
    for (int64_t i = 0; i < nodes->count; i++) {
        uint64_t place = (uint64_t)(uint32_t)row << 32 | (uint32_t)(nodes->first + i);
        sg_random4 r = sg_random(brush->land->seed, SG_STREAM_SCENE, place, (uint32_t)index);
        values[i] = (sg_uniform(r.v[0]) - 0.5f) * scale;
    }
}

/* Bring the nodes of a layer to row y: afterwards mixed holds the values at y of each column. */
static void mix_nodes(painter *brush, int index, int64_t y)
{
    layer_nodes *nodes = &brush->nodes[index];
    int32_t spacing = layers[index].spacing;
    int64_t row = floor_div(y, spacing);
    if (row == nodes->row + 1 && nodes->row != INT64_MIN) {
        float *old = nodes->above;
        nodes->above = nodes->below;
        nodes->below = old;
        fill_nodes(brush, index, row + 1, nodes->below);
    } else if (row != nodes->row) {
        fill_nodes(brush, index, row, nodes->above);
        fill_nodes(brush, index, row + 1, nodes->below);
    }
    nodes->row = row;
    float t = layers[index].stepped ? 0 : nodes->ease[y - row * spacing];
    for (int64_t i = 0; i < nodes->count; i++)
        nodes->mixed[i] = nodes->above[i] + (nodes->below[i] - nodes->above[i]) * t;
}

/* Add a layer to its field, cell by cell. */
static void add_layer(painter *brush, int index, int64_t y)
{
    layer_nodes *nodes = &brush->nodes[index];
    int32_t spacing = layers[index].spacing;
    float *field = brush->field[layers[index].field];
    mix_nodes(brush, index, y);
    int64_t cell = 0, skip = brush->x - nodes->first * spacing;
    for (int64_t p = 0; p < brush->width; cell++, skip = 0) {
        int64_t n = sg_min64(spacing - skip, brush->width - p);
        float left = nodes->mixed[cell];
        float rise = layers[index].stepped ? 0 : nodes->mixed[cell + 1] - left;
        for (int64_t i = 0; i < n; i++)
            field[p + i] += left + rise * nodes->ease[skip + i];
        p += n;
    }
}

static int32_t class_at(const landscape *land, float height, float water)
{
    int32_t nearest = 0;
    float least = INFINITY;
    for (int32_t c = 0; c < land->classes; c++) {
        float a = height - land->place[c][0], b = water - land->place[c][1];
        float distance = a * a + b * b;
        if (distance < least) {
            least = distance;
            nearest = c;
        }
    }
    return nearest;
}

/* Sensor noise for four bands, each nearly normal with a deviation of 1: the sum of four uniform
 * bytes. */
static void noise4(const landscape *land, int64_t x, int64_t y, uint32_t group, float out[4])
{
    uint64_t place = (uint64_t)(uint32_t)y << 32 | (uint32_t)x;
    sg_random4 r = sg_random(land->seed, SG_STREAM_SCENE, place, 100 + group);
    for (int i = 0; i < 4; i++) {
        uint32_t v = r.v[i];
        float sum = (float)((v & 255) + (v >> 8 & 255) + (v >> 16 & 255) + (v >> 24));
        out[i] = (sum - 510.0f) / 147.8f;
    }
}

void painter_row(painter *brush, int64_t y, float *pixels, uint8_t *labels)
{
    const landscape *land = brush->land;
    int32_t bands = land->bands;
    for (int f = 0; f < FIELDS; f++)
        memset(brush->field[f], 0, (size_t)brush->width * sizeof(float));
    for (int i = 0; i < LAYERS; i++)
        add_layer(brush, i, y);
    for (int64_t p = 0; p < brush->width; p++) {
        int32_t c = class_at(land, brush->field[FIELD_HEIGHT][p] * 0.7f,
                             brush->field[FIELD_WATER][p] * 0.7f);
        const float *texture = land->texture[c], *spectrum = land->spectrum + c * bands;
        float light =
            1 + 0.08f * brush->field[FIELD_LIGHT][p] + texture[0] * brush->field[FIELD_MOTTLE][p] +
            texture[1] * brush->field[FIELD_PARCELS][p] + texture[2] * brush->field[FIELD_GRAIN][p];
        light = light < 0.1f ? 0.1f : light;
        labels[p] = (uint8_t)(c + 1);
        float noise[4];
        for (int32_t b = 0; b < bands; b++) {
            if (b % 4 == 0)
                noise4(land, brush->x + p, y, (uint32_t)(b / 4), noise);
            float value = spectrum[b] * light + 0.008f * noise[b % 4];
            pixels[p * bands + b] = value < 0 ? 0 : value > 1 ? 1 : value;
        }
    }
}
