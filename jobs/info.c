/* segtiles info: what a scene, a checkpoint, a tile store or a mask is. */
#include "jobs/info.h"
#include "jobs/command.h"
#include "jobs/options.h"
#include "data/tile_store.h"

#include <stdio.h>

static sg_err parse_arguments(sg_comm *comm, int argc, char **argv, sg_info_options *options,
                              sg_arguments *arguments)
{
    const sg_option table[] = {
        {0, "stats", SG_OPTION_FLAG, &options->stats, NULL, NULL, 0, 0,
         "read the whole scene for the statistics of its bands"},
        {0, "json", SG_OPTION_FLAG, &options->json, NULL, NULL, 0, 0, "print one JSON object"},
        {0, "net", SG_OPTION_FLAG, &options->net, NULL, NULL, 0, 0,
         "instead of a file a network, as unet,width=64"},
        {0, "tile", SG_OPTION_LONG, &options->tile, "N", NULL, 0, 1 << 16,
         "side of the network's tile, pixels (512)"},
        {0}};
    const sg_usage usage = {.synopsis = "info [options] FILE | info --net NETWORK",
                            .about =
                                "Tells about a scene, a checkpoint, a tile store (.h5) or a mask; "
                                "or about a network: layers, parameters, operations, reach, "
                                "memory.",
                            .least = 1,
                            .most = 1,
                            .missing = "a file",
                            .option = table};
    return sg_options_parse(&usage, comm, argc, argv, arguments);
}

static sg_err tell(const sg_info_options *options, const char *path)
{
    sg_text text = {0};
    sg_err err = options->net             ? sg_info_network(path, options, &text)
                 : sg_is_tile_store(path) ? sg_info_tiles(path, options, &text)
                 : sg_is_checkpoint(path) ? sg_info_checkpoint(path, options, &text)
                                          : sg_info_raster(path, options, &text);
    if (err == SG_OK) {
        fputs(text.data, stdout);
        if (fflush(stdout) != 0)
            err = sg_fail(SG_EOUTPUT, "standard output cannot be written");
    }
    sg_text_clear(&text);
    return err;
}

sg_err sg_command_info(sg_comm *comm, int argc, char **argv)
{
    sg_info_options options = {0};
    sg_arguments arguments;
    sg_err err = parse_arguments(comm, argc, argv, &options, &arguments);
    if (err != SG_OK || arguments.help)
        return err;
    return sg_comm_rank(comm) == 0 ? tell(&options, arguments.item[0]) : SG_OK;
}
