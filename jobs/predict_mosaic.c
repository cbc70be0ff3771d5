#include "jobs/predict_mosaic.h"

#include <string.h>
#include "base/size.h"

sg_err sg_mosaic_name(const sg_mosaic_options *mosaic, sg_predict_options *options,
                      sg_inputs *inputs, sg_inputs *members)
{
    sg_inputs one = {0};
    if (options->out)
        return sg_fail(SG_EUSAGE, "-o %s: --mosaic %s names the mask already", options->out,
                       mosaic->mask);
    if (options->resample)
        return sg_fail(SG_EUSAGE, "--resample: give the mosaic's pixels with -tr instead");
    options->out = mosaic->mask;
    sg_err err = sg_grow(&one.item, &one.capacity, 1, sizeof *one.item);
    if (err != SG_OK)
        return err;
    one.count = 1;
    sg_input *input = &one.item[0];
    err = sg_path_stem(input->stem, mosaic->mask);
    if (err == SG_OK)
        err = sg_path_format(input->path, "%s/mosaic_%s.vrt", SG_INPUTS_FOLDER, input->stem);
    *members = *inputs;
    *inputs = one;
    return err;
}

/* All that can be wrong with a member; its resolution does not matter any more. */
static sg_err check_members(const sg_predict_options *options, const sg_network *network,
                            sg_comm *comm, const sg_inputs *members)
{
    sg_predict_options loose = *options;
    sg_err err = SG_OK;
    loose.force = 1;
    loose.area = (sg_area_options){0};
    for (size_t i = (size_t)sg_comm_rank(comm); err == SG_OK && i < members->count;
         i += (size_t)sg_comm_ranks(comm))
        err = sg_predict_check(&loose, network, members->item[i].path);
    return sg_comm_agree(comm, err);
}

static sg_err make(const sg_mosaic_options *mosaic, const sg_network *network, const char *path,
                   const sg_inputs *members)
{
    const char **scene = NULL;
    sg_err err = sg_malloc(members->count, sizeof *scene, &scene);
    for (size_t i = 0; err == SG_OK && i < members->count; i++)
        scene[i] = members->item[i].path;
    if (err == SG_OK)
        err = sg_mosaic_make(path, scene, members->count, &network->checkpoint.spec, &mosaic->grid);
    sg_free(scene);
    return err;
}

sg_err sg_mosaic_put_together(const sg_mosaic_options *mosaic, const sg_predict_options *options,
                              const sg_network *network, sg_comm *comm, const char *path,
                              sg_inputs *members)
{
    sg_err err = SG_OK;
    if (network->checkpoint.spec.normalize == SG_NORMALIZE_SCENE)
        err = sg_fail(SG_EUNSUPPORTED,
                      "%s: was trained with each scene normalised by itself (normalize: scene), "
                      "and the scenes of a mosaic are not: map them one by one, without --mosaic",
                      network->path);
    err = sg_comm_agree(comm, err);
    if (err == SG_OK)
        err = check_members(options, network, comm, members);
    if (err == SG_OK && sg_comm_rank(comm) == 0)
        err = make(mosaic, network, path, members);
    return sg_inputs_share(members, comm, err);
}
