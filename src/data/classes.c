#include "data/classes.h"

#include <stdio.h>
#include <string.h>

/* Okabe and Ito's colours (told apart with any colour vision), then ColorBrewer's Paired without
 * near doubles. Black is left out: it stands for "missing". */
static const uint8_t palette[][3] = {
    {0, 158, 115},   {230, 159, 0},   {0, 114, 178},   {213, 94, 0},
    {204, 121, 167}, {86, 180, 233},  {240, 228, 66},  {106, 61, 154},
    {177, 89, 40},   {51, 160, 44},   {227, 26, 28},   {166, 206, 227},
    {178, 223, 138}, {251, 154, 153}, {253, 191, 111}, {202, 178, 214}};
enum { PALETTE_COLOURS = sizeof(palette) / sizeof(palette[0]) };

/* Colours beyond the palette: the same ones, darker each time round. */
static void default_colour(int32_t index, uint8_t colour[3])
{
    int32_t round = index / PALETTE_COLOURS;
    for (int32_t i = 0; i < 3; i++) {
        int32_t value = palette[index % PALETTE_COLOURS][i] * 4 / (4 + round);
        colour[i] = (uint8_t)(value > 0 ? value : 1);
    }
}

static sg_err check_class(const sg_class_table *classes, int32_t index)
{
    const sg_class *item = &classes->item[index];
    if (item->name[0] == '\0')
        return sg_fail(SG_EUSAGE, "class %d (value %d) has no name; give it one", index + 1,
                       item->value);
    if (item->value < 0 || item->value > 255)
        return sg_fail(SG_EUSAGE, "class '%s' has value %d; values lie within 0 .. 255", item->name,
                       item->value);
    for (int32_t i = 0; i < index; i++) {
        if (strcmp(classes->item[i].name, item->name) == 0)
            return sg_fail(SG_EUSAGE, "two classes are named '%s'; names must differ", item->name);
        if (classes->item[i].value == item->value)
            return sg_fail(SG_EUSAGE, "classes '%s' and '%s' share value %d; values must differ",
                           classes->item[i].name, item->name, item->value);
    }
    return SG_OK;
}

static int32_t choose_nodata(const sg_class_table *classes)
{
    uint8_t used[256] = {0};
    for (int32_t i = 0; i < classes->count; i++)
        used[classes->item[i].value] = 1;
    if (!used[255])
        return 255;
    if (!used[0])
        return 0;
    int32_t value = 254;
    while (value > 0 && used[value])
        value--;
    return value; /* at most 255 classes share 256 values, so one is free */
}

sg_err sg_classes_complete(sg_class_table *classes)
{
    if (classes->count < 1 || classes->count > SG_CLASSES_MAX)
        return sg_fail(SG_EUSAGE, "%d classes; there must be 1 .. %d", classes->count,
                       SG_CLASSES_MAX);
    for (int32_t i = 0; i < classes->count; i++) {
        sg_err err = check_class(classes, i);
        if (err)
            return err;
        uint8_t *colour = classes->item[i].colour;
        if (colour[0] == 0 && colour[1] == 0 && colour[2] == 0)
            default_colour(i, colour);
    }
    classes->nodata = choose_nodata(classes);
    return SG_OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

sg_err sg_colour_parse(const char *text, uint8_t colour[3])
{
    if (text[0] == '#' && strlen(text) == 7) {
        int32_t i = 0;
        for (; i < 3; i++) {
            int high = hex_digit(text[1 + 2 * i]), low = hex_digit(text[2 + 2 * i]);
            if (high < 0 || low < 0)
                break;
            colour[i] = (uint8_t)(high * 16 + low);
        }
        if (i == 3)
            return SG_OK;
    }
    return sg_fail(SG_EUSAGE, "'%s' is no colour; write it as \"#rrggbb\"", text);
}

static sg_err add_xml(sg_text *text, const char *value)
{
    sg_err err = SG_OK;
    for (; *value && !err; value++) {
        switch (*value) {
        case '&':
            err = sg_text_add(text, "&amp;");
            break;
        case '<':
            err = sg_text_add(text, "&lt;");
            break;
        case '>':
            err = sg_text_add(text, "&gt;");
            break;
        case '"':
            err = sg_text_add(text, "&quot;");
            break;
        default:
            err = sg_text_add(text, "%c", *value);
        }
    }
    return err;
}

static sg_err add_entry(sg_text *text, const sg_class *item)
{
    sg_err err = sg_text_add(text,
                             "        <paletteEntry value=\"%d\" color=\"#%02x%02x%02x\" "
                             "alpha=\"255\" label=\"",
                             item->value, item->colour[0], item->colour[1], item->colour[2]);
    if (!err)
        err = add_xml(text, item->name);
    if (!err)
        err = sg_text_add(text, "\"/>\n");
    return err;
}

sg_err sg_classes_qml(const sg_class_table *classes, sg_text *text)
{
    sg_err err = sg_text_add(text, "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
                                   "<qgis version=\"3.22\" styleCategories=\"Symbology\">\n"
                                   "  <pipe>\n"
                                   "    <rasterrenderer type=\"paletted\" band=\"1\" opacity=\"1\" "
                                   "alphaBand=\"-1\" nodataColor=\"\">\n"
                                   "      <colorPalette>\n");
    for (int32_t i = 0; i < classes->count && !err; i++)
        err = add_entry(text, &classes->item[i]);
    if (!err)
        err = sg_text_add(text, "      </colorPalette>\n"
                                "    </rasterrenderer>\n"
                                "  </pipe>\n"
                                "</qgis>\n");
    return err;
}

static sg_err add_category(sg_text *text, const sg_class *item)
{
    sg_err err = sg_text_add(text,
                             "      <category value=\"%d\" symbol=\"%d\" render=\"true\" "
                             "label=\"",
                             item->value, item->value);
    if (!err)
        err = add_xml(text, item->name);
    return err ? err : sg_text_add(text, "\"/>\n");
}

static sg_err add_symbol(sg_text *text, const sg_class *item)
{
    return sg_text_add(text,
                       "      <symbol type=\"fill\" name=\"%d\" alpha=\"1\">\n"
                       "        <layer class=\"SimpleFill\" enabled=\"1\" pass=\"0\">\n"
                       "          <prop k=\"color\" v=\"%d,%d,%d,255\"/>\n"
                       "          <prop k=\"style\" v=\"solid\"/>\n"
                       "          <prop k=\"outline_style\" v=\"no\"/>\n"
                       "        </layer>\n"
                       "      </symbol>\n",
                       item->value, item->colour[0], item->colour[1], item->colour[2]);
}

sg_err sg_classes_polygon_qml(const sg_class_table *classes, sg_text *text)
{
    sg_err err = sg_text_add(text, "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
                                   "<qgis version=\"3.22\" styleCategories=\"Symbology\">\n"
                                   "  <renderer-v2 type=\"categorizedSymbol\" attr=\"value\">\n"
                                   "    <categories>\n");
    for (int32_t i = 0; i < classes->count && !err; i++)
        err = add_category(text, &classes->item[i]);
    if (!err)
        err = sg_text_add(text, "    </categories>\n    <symbols>\n");
    for (int32_t i = 0; i < classes->count && !err; i++)
        err = add_symbol(text, &classes->item[i]);
    return err ? err : sg_text_add(text, "    </symbols>\n  </renderer-v2>\n</qgis>\n");
}

int32_t sg_classes_find(const sg_class_table *classes, const char *name)
{
    for (int32_t i = 0; i < classes->count; i++)
        if (strcmp(classes->item[i].name, name) == 0)
            return i;
    return -1;
}
