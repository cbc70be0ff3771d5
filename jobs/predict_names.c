#include "jobs/predict_names.h"

#include <string.h>
#include <sys/stat.h>
#include "data/polygonize.h"

/* Rasters, polygons, areas. */
enum { NAMES = SG_OUTPUTS + 2 };

static size_t list_names(const sg_predict_names *names, const char *list[NAMES])
{
    size_t count = 0;
    for (int i = 0; i < SG_OUTPUTS; i++)
        list[count++] = names->output[i];
    list[count++] = names->polygons;
    list[count++] = names->areas;
    return count;
}

/* The same file, as far as both exist. */
static bool same_file(const char *a, const char *b)
{
    struct stat one, two;
    return stat(a, &one) == 0 && stat(b, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

static sg_err check_kept(const sg_predict_names *names, const char *scene)
{
    const char *name[NAMES];
    size_t count = list_names(names, name);
    for (size_t i = 0; i < count; i++)
        if (*name[i] && same_file(name[i], scene))
            return sg_fail(SG_EUSAGE, "%s is the scene itself: give another output", name[i]);
    return SG_OK;
}

static sg_err check_names(const sg_predict_names *names)
{
    const char *name[NAMES];
    size_t count = list_names(names, name);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; *name[i] && j < i; j++)
            if (strcmp(name[i], name[j]) == 0)
                return sg_fail(SG_EUSAGE, "%s: two outputs of one name", name[i]);
    return check_kept(names, names->scene);
}

/* A name that was typed serves one scene only. */
static sg_err check_shared(const char *one, const char *two, int scenes, const char *what)
{
    if (scenes == 1 || !((one && *one) || (two && *two)))
        return SG_OK;
    return sg_fail(SG_EUSAGE, "%d scenes cannot share a file of %s: leave its name out", scenes,
                   what);
}

static sg_err name_mask(char *out, const sg_predict_options *options, const char *stem, int scenes)
{
    if (!options->out)
        return sg_path_format(out, "%s_mask.tif", stem);
    size_t length = strlen(options->out);
    if ((length > 0 && options->out[length - 1] == '/') || sg_is_folder(options->out))
        return sg_path_format(out, "%s/%s_mask.tif", options->out, stem);
    if (scenes > 1)
        return sg_fail(SG_EUSAGE, "-o %s: %d scenes cannot go into one mask; give a folder",
                       options->out, scenes);
    return sg_path_format(out, "%s", options->out);
}

/* FOLDER of the mask/STEM_KIND, or the name asked for; "" where nothing was. */
static sg_err name_beside(char *out, const char *wish, const char *mask, const char *stem,
                          const char *kind)
{
    out[0] = '\0';
    if (!wish)
        return SG_OK;
    if (*wish)
        return sg_path_format(out, "%s", wish);
    return sg_path_format(out, "%.*s%s_%s", (int)(sg_path_base(mask) - mask), mask, stem, kind);
}

static sg_err name_rasters(const sg_predict_options *options, const char *stem, int scenes,
                           sg_predict_names *names)
{
    const char *mask = names->output[SG_OUT_MASK];
    sg_err err = check_shared(options->probabilities, options->confidence, scenes,
                              "probabilities or confidence");
    if (err == SG_OK)
        err = name_mask(names->output[SG_OUT_MASK], options, stem, scenes);
    if (err == SG_OK)
        err = name_beside(names->output[SG_OUT_PROBABILITIES], options->probabilities, mask, stem,
                          "probabilities.tif");
    return err == SG_OK ? name_beside(names->output[SG_OUT_CONFIDENCE], options->confidence, mask,
                                      stem, "confidence.tif")
                        : err;
}

/* Polygons need the confidence, asked for or not. */
static sg_err name_products(const sg_predict_options *options, const char *stem, int scenes,
                            sg_predict_names *names)
{
    const char *mask = names->output[SG_OUT_MASK];
    char *confidence = names->output[SG_OUT_CONFIDENCE];
    sg_err err = check_shared(options->polygons, options->areas, scenes, "polygons or areas");
    if (err == SG_OK)
        err = name_beside(names->polygons, options->polygons, mask, stem, "polygons.gpkg");
    if (err == SG_OK)
        err = name_beside(names->areas, options->areas, mask, stem, "areas.csv");
    if (err == SG_OK && names->polygons[0])
        err = sg_outlines_check_name(names->polygons);
    names->confidence_aside = names->polygons[0] && !confidence[0];
    return err == SG_OK && names->confidence_aside
               ? sg_path_format(confidence, "%s.confidence.tif", mask)
               : err;
}

sg_err sg_predict_name_all(const sg_predict_options *options, const sg_inputs *inputs,
                           const sg_inputs *members, sg_predict_names *names)
{
    int scenes = (int)inputs->count;
    sg_err err = SG_OK;
    for (int i = 0; err == SG_OK && i < scenes; i++) {
        const char *stem = inputs->item[i].stem;
        names[i].scene = inputs->item[i].path;
        err = name_rasters(options, stem, scenes, &names[i]);
        if (err == SG_OK)
            err = name_products(options, stem, scenes, &names[i]);
        if (err == SG_OK)
            err = check_names(&names[i]);
        for (int j = 0; err == SG_OK && j < i; j++)
            if (strcmp(names[i].output[SG_OUT_MASK], names[j].output[SG_OUT_MASK]) == 0)
                err = sg_fail(SG_EUSAGE, "%s and %s would both become %s: map one after the other",
                              names[j].scene, names[i].scene, names[i].output[SG_OUT_MASK]);
    }
    for (size_t i = 0; err == SG_OK && i < members->count; i++)
        err = check_kept(&names[0], members->item[i].path);
    return err;
}
