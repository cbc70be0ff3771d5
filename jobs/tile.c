/* segtiles tile: the scenes of a job into one tile store. */
#include "jobs/tile.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/size.h"
#include "data/stage.h"
#include "jobs/command.h"
#include "jobs/options.h"
#include "jobs/signals.h"
#include "jobs/tile_facts.h"

typedef struct {
    const char *out; /* NULL: the job's data.store */
    int32_t side;    /* of a tile, pixels; 0: chosen */
    int32_t level;
    int32_t restart;
    int32_t threads; /* 0: this rank's share */
    char *job_path;
    char **overrides;
    int override_count;
} tile_options;

typedef struct {
    sg_comm *comm;
    const tile_options *options;
    sg_job job;
    sg_text job_text;
    char path[SG_PATH_MAX];
    sg_spec spec;
    sg_survey survey;
    sg_scenes scenes;
    sg_tile_places places; /* on rank 0 */
    sg_tile_layout layout;
    sg_text journal;
    sg_parts *parts;
    double start;
    volatile int *stop;
} tile_run;

static void close_run(tile_run *run)
{
    sg_parts_close(run->parts);
    sg_text_clear(&run->journal);
    sg_tile_layout_clear(&run->layout);
    sg_tile_places_clear(&run->places);
    sg_survey_close(&run->survey);
    sg_text_clear(&run->job_text);
    sg_job_clear(&run->job);
}

/* ---- the command line ---- */

static sg_err parse_arguments(sg_comm *comm, int argc, char **argv, tile_options *options,
                              bool *help)
{
    const sg_option table[] = {{'o', "out", SG_OPTION_TEXT, &options->out, "FILE", NULL, 0, 0,
                                "the store (else the job's data.store)"},
                               {0, "tile", SG_OPTION_INT, &options->side, "N", NULL, SG_TILE_LEAST,
                                SG_TILE_MOST,
                                "side of a tile, pixels (256; less where there are many bands)"},
                               {0, "level", SG_OPTION_INT, &options->level, "N", NULL, 1, 9,
                                "of compression: 1 fast, 9 small (4)"},
                               {0, "threads", SG_OPTION_INT, &options->threads, "N", NULL, 0, 1024,
                                "threads of a rank (0: a fair share of the node)"},
                               {0, "restart", SG_OPTION_FLAG, &options->restart, NULL, NULL, 0, 0,
                                "begin anew where an unfinished store lies (FILE.parts)"},
                               {0}};
    const sg_usage usage = {
        .synopsis = "tile [options] JOB [key=value ...]",
        .about = "Writes the scenes and labels of a job into one HDF5 file of compressed tiles, "
                 "from which `segtiles train JOB data.store=FILE` reads.",
        .least = 1,
        .most = -1,
        .missing = "a job file",
        .option = table,
        .more = "The file is the same for any number of ranks. SIGTERM and SIGUSR1 end it with "
                "status 75;\nthe same command goes on."};
    sg_arguments arguments;
    sg_err err = sg_options_parse(&usage, comm, argc, argv, &arguments);
    *help = arguments.help;
    if (err != SG_OK || arguments.help)
        return err;
    options->job_path = arguments.item[0];
    options->overrides = arguments.item + 1;
    options->override_count = arguments.count - 1;
    for (int i = 0; i < arguments.count; i++)
        if ((strchr(arguments.item[i], '=') == NULL) != (i == 0))
            return sg_fail(SG_EUSAGE, "\"%s\" is no %s: segtiles %s", arguments.item[i],
                           i == 0 ? "job file" : "key=value; only one job file is read",
                           usage.synopsis);
    return SG_OK;
}

/* An old store is replaced when the new one is whole; nothing else is. */
static sg_err check_output(const tile_run *run)
{
    if (sg_is_folder(run->path))
        return sg_fail(SG_EUSAGE, "%s is a folder; name a file in it", run->path);
    if (sg_file_exists(run->path) && !sg_is_tile_store(run->path))
        return sg_fail(SG_EUSAGE,
                       "%s is there already and is no tile store; choose another name or remove it",
                       run->path);
    return SG_OK;
}

static sg_err load_job(tile_run *run)
{
    const tile_options *options = run->options;
    const sg_yaml_source source = {options->job_path, NULL, (const char *const *)options->overrides,
                                   (size_t)options->override_count};
    sg_err err = sg_job_load(&run->job, &source);
    if (err != SG_OK)
        return err;
    const char *out = options->out != NULL ? options->out : run->job.data.store;
    if (out[0] == '\0')
        return sg_fail(SG_EUSAGE, "where to? Name the store with -o FILE or the job's data.store");
    err = sg_expand_path(out, run->path);
    if (err == SG_OK)
        err = sg_job_write(&run->job, &run->job_text);
    return err == SG_OK ? check_output(run) : err;
}

/* ---- what there is ---- */

/* [collective] */
static sg_err survey_scenes(tile_run *run)
{
    const unsigned all = (1u << SG_SPLITS) - 1;
    sg_err err = sg_survey_open(&run->survey, run->comm, &run->job, all, &run->spec);
    if (err == SG_OK)
        err = sg_survey_classes(&run->survey, run->comm, &run->spec, &run->job.data.label);
    if (err == SG_OK)
        err = sg_survey_measure(&run->survey, run->comm, &run->spec);
    if (err == SG_OK)
        err = sg_survey_statistics(&run->survey, run->comm, &run->spec, true);
    run->scenes = sg_survey_as_scenes(&run->survey, &run->spec, &run->job.data.label);
    return err;
}

/* The type that holds what is read of all scenes. */
static sg_chunks_type join_types(sg_chunks_type a, const char *name)
{
    for (int b = 0; b < SG_CHUNKS_TYPES; b++) {
        if (strcmp(name, sg_chunks_type_name(b)) != 0)
            continue;
        bool mixed = (a == SG_CHUNKS_U16 && b == SG_CHUNKS_I16) ||
                     (a == SG_CHUNKS_I16 && b == SG_CHUNKS_U16);
        return mixed ? SG_CHUNKS_F32 : (sg_chunks_type)sg_max64(a, b);
    }
    return SG_CHUNKS_F32;
}

/* Every rank looks at its share of the scenes. [collective] */
static sg_err find_type(tile_run *run, sg_chunks_type *type)
{
    int64_t seen[SG_CHUNKS_TYPES] = {0};
    sg_err err = SG_OK;
    for (size_t i = (size_t)sg_comm_rank(run->comm); err == SG_OK && i < run->survey.count;
         i += (size_t)sg_comm_ranks(run->comm)) {
        sg_raster *raster = NULL;
        err = sg_raster_open_spec(&raster, run->survey.scene[i].image, &run->spec);
        if (err == SG_OK)
            seen[join_types(SG_CHUNKS_U8, sg_raster_exact_type(raster))] = 1;
        sg_raster_close(raster);
    }
    err = sg_comm_agree(run->comm, err);
    sg_comm_max_i64(run->comm, seen, SG_CHUNKS_TYPES);
    *type = SG_CHUNKS_U8;
    for (int t = 0; t < SG_CHUNKS_TYPES; t++)
        if (seen[t])
            *type = join_types(*type, sg_chunks_type_name(t));
    return err;
}

/* A crop unpacks whole tiles: those of many bands are smaller, for a tile of some MB. */
static int32_t choose_side(int32_t bands, sg_chunks_type type)
{
    enum { TILE_BYTES = 8 << 20, SIDE = 256, SIDE_LEAST = 64 };
    int32_t side = SIDE;
    while (side > SIDE_LEAST &&
           (size_t)side * (size_t)side * (size_t)bands * sg_chunks_type_size(type) > TILE_BYTES)
        side /= 2;
    return side;
}

static sg_err make_layout(tile_run *run, sg_chunks_type type)
{
    const tile_options *options = run->options;
    const sg_tile_format format = {options->side > 0 ? options->side
                                                     : choose_side(run->spec.bands, type),
                                   run->spec.bands, type, options->level};
    int64_t *size = NULL;
    sg_err err = sg_malloc(run->survey.count, 2 * sizeof *size, &size);
    for (size_t i = 0; err == SG_OK && i < run->survey.count; i++) {
        size[2 * i] = run->survey.size[i].width;
        size[2 * i + 1] = run->survey.size[i].height;
    }
    if (err == SG_OK)
        err = sg_tile_layout_make(&run->layout, &format, size, run->survey.count);
    sg_free(size);
    return err;
}

/* ---- the unfinished store ---- */

/* What an unfinished store must have in common with this one to be gone on with. */
static sg_err write_journal(tile_run *run)
{
    const sg_tile_format *format = &run->layout.format;
    uint64_t scenes = SG_HASH_START;
    sg_err err = SG_OK;
    for (size_t i = 0; err == SG_OK && i < run->survey.count; i++) {
        uint64_t one;
        err = sg_stage_hash(&run->scenes, &run->survey.scene[i], &one);
        if (err == SG_OK)
            scenes = sg_hash(scenes, &one, sizeof one);
    }
    if (err == SG_OK)
        err = sg_text_add(&run->journal,
                          "tile store of segtiles %s\ntile %d\ncompression %d\npixels %s\n"
                          "scenes %zu %016" PRIx64 "\n",
                          SEGTILES_VERSION, format->tile, format->deflate,
                          sg_chunks_type_name(format->type), run->survey.count, scenes);
    return err;
}

/* [collective] */
static sg_err open_parts(tile_run *run)
{
    sg_err err = sg_comm_rank(run->comm) == 0 ? write_journal(run) : SG_OK;
    err = sg_comm_agree(run->comm, err);
    if (err != SG_OK)
        return err;
    const sg_parts_options options = {.output = run->path,
                                      .what = "tile store",
                                      .journal = run->journal.data,
                                      .records = run->layout.tiles,
                                      .restart = run->options->restart};
    return sg_parts_open(&run->parts, run->comm, &options);
}

/* ---- the store ---- */

static sg_err put_tiles(const tile_run *run, sg_tile_writer *writer)
{
    uint8_t *record = NULL;
    size_t room = 0;
    sg_err err = SG_OK;
    for (int64_t i = 0; err == SG_OK && i < run->layout.tiles; i++) {
        int64_t bytes = sg_parts_bytes(run->parts, i);
        if (bytes < 0)
            err = sg_fail(SG_EINTERNAL, "%s: tile %lld was not made", run->path, (long long)i);
        else
            err = sg_grow(&record, &room, (size_t)bytes, 1);
        if (err == SG_OK)
            err = sg_parts_read(run->parts, i, record);
        if (err == SG_OK)
            err = sg_tile_writer_put(writer, record, (size_t)bytes);
    }
    sg_free(record);
    return err;
}

static sg_err write_file(tile_run *run, const char *path)
{
    sg_tile_writer *writer = NULL;
    sg_err err = sg_tile_writer_open(&writer, path, &run->layout);
    if (err == SG_OK)
        err = sg_tile_facts_put(sg_tile_writer_file(writer), &run->survey, &run->spec, &run->places,
                                run->job_text.data);
    if (err == SG_OK)
        err = put_tiles(run, writer);
    if (err != SG_OK) {
        sg_tile_writer_close(writer);
        return err;
    }
    return sg_tile_writer_commit(writer);
}

/* Rank 0 puts all into one file, which gets its name when it is whole. */
static sg_err assemble(tile_run *run)
{
    char path[SG_PATH_MAX];
    sg_err err = sg_parts_path(run->parts, "assembled.h5", path);
    if (err == SG_OK)
        err = sg_tile_places_find(&run->places, &run->survey);
    if (err == SG_OK)
        err = write_file(run, path);
    if (err == SG_OK)
        err = sg_file_commit(path, run->path);
    if (err == SG_OK)
        sg_parts_remove(run->parts);
    return err;
}

static void tell_result(const tile_run *run)
{
    struct stat info;
    double pixels = 0;
    for (size_t i = 0; i < run->survey.count; i++)
        pixels += (double)run->survey.size[i].width * (double)run->survey.size[i].height;
    if (sg_comm_rank(run->comm) != 0 || stat(run->path, &info) != 0)
        return;
    sg_info(
        "%zu scenes, %.2f Mpx, in %lld tiles of %d x %d x %d %s: %.1f MB, %.2f of their pixels' "
        "bytes, in %.1f s",
        run->survey.count, 1e-6 * pixels, (long long)run->layout.tiles, run->layout.format.tile,
        run->layout.format.tile, run->spec.bands, sg_chunks_type_name(run->layout.format.type),
        1e-6 * (double)info.st_size,
        (double)info.st_size /
            (pixels * run->spec.bands * (double)sg_chunks_type_size(run->layout.format.type)),
        sg_now() - run->start);
    printf("%s\n", run->path);
    fflush(stdout);
}

/* [collective] */
static sg_err write_store(tile_run *run)
{
    const sg_tile_work work = {.comm = run->comm,
                               .scenes = &run->scenes,
                               .layout = &run->layout,
                               .parts = run->parts,
                               .threads = run->options->threads > 0 ? run->options->threads
                                                                    : sg_comm_threads(run->comm),
                               .stop = run->stop};
    sg_err err = sg_parts_finish(run->parts, sg_tile_make_all(&work));
    if (err == SG_OK)
        err = sg_comm_agree(run->comm, sg_comm_rank(run->comm) == 0 ? assemble(run) : SG_OK);
    if (err == SG_OK)
        tell_result(run);
    return err;
}

/* [collective] */
static sg_err run_all(tile_run *run)
{
    sg_chunks_type type = SG_CHUNKS_U8;
    sg_err err = load_job(run);
    if (err == SG_OK)
        err = sg_job_spec(&run->job, &run->spec);
    err = sg_comm_agree(run->comm, err);
    if (err == SG_OK)
        err = survey_scenes(run);
    if (err == SG_OK)
        err = find_type(run, &type);
    if (err == SG_OK)
        err = sg_comm_agree(run->comm, make_layout(run, type));
    if (err == SG_OK)
        err = open_parts(run);
    return err == SG_OK ? write_store(run) : err;
}

sg_err sg_command_tile(sg_comm *comm, int argc, char **argv)
{
    tile_options options = {.level = 4};
    tile_run run = {.comm = comm, .options = &options, .start = sg_now()};
    bool help = false;
    sg_err err = sg_comm_agree(comm, parse_arguments(comm, argc, argv, &options, &help));
    if (err != SG_OK || help)
        return err;
    run.stop = sg_signals_catch();
    err = run_all(&run);
    close_run(&run);
    return err;
}
