#include "jobs/predict_memory.h"

#include <stdio.h>
#include <unistd.h>
#include "base/size.h"
#include "jobs/predict_products.h"
#include "tiles/augment.h"
#include "tiles/records.h"
#include "tiles/refine.h"

/* Beside what is counted: threads' stacks, buffers of MPI that come with the first messages, what
 * the heap loses between blocks; and of a reader, GDAL's own for a file. */
enum { ALLOWANCE = 24 << 20, READER_ALLOWANCE = 3 << 20 };
/* Of a rank's computing thread: code that is made for the processor, and its small buffers. */
enum { THREAD_ALLOWANCE = 1 << 20 };
/* As tiles/fetch.c reads, and a value as src/data/raster_read.c holds it where f32 is too short. */
enum { STRIP_ROWS = 256, WIDE_BYTES = 8 + 1 };
/* Of a record on every rank: whether it was there, its place and size; and on rank 0, as the file
 * is assembled: in its tables, and once more as it is written. */
enum { RECORD_BYTES = 1 + 12, TABLE_BYTES = 12 + 12 };
enum { CANVAS = 2 << 20 }; /* of tiles/compose.c */

static double resident(void)
{
    double pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%*s %lf", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (double)sysconf(_SC_PAGESIZE);
}

void sg_predict_measure(const sg_predict_options *options, sg_comm *comm, sg_predict_rank *rank)
{
    int threads = options->device.threads > 0 ? options->device.threads : sg_comm_threads(comm);
    double most[2] = {resident(), threads};
    sg_comm_max_f64(comm, most, 2);
    *rank = (sg_predict_rank){most[0], most[1]};
}

double sg_predict_pixel_bytes(const sg_network *network, sg_output output)
{
    double classes = network->checkpoint.spec.classes.count;
    return output == SG_OUT_MASK            ? 1
           : output == SG_OUT_PROBABILITIES ? sizeof(float) * classes
                                            : sizeof(float);
}

/* Arena, weights as kernels keep them, working space. */
static sg_err network_bytes(const sg_network *network, const sg_predict_plan *plan, double threads,
                            double *bytes)
{
    const sg_spec *spec = &network->checkpoint.spec;
    sg_shape input = {plan->batch, plan->grid.tile_h, plan->grid.tile_w, spec->bands};
    sg_plan *made = NULL;
    double weights = sizeof(float) * (double)network->params->layout->trainable_count;
    sg_err err = sg_plan_create(network->graph, input, network->type, SG_PLAN_INFERENCE, &made);
    if (err == SG_OK)
        *bytes = (double)made->arena_bytes + 2 * weights + THREAD_ALLOWANCE * threads;
    sg_plan_close(made);
    return err;
}

static double reader_bytes(const sg_predict_size *size, const sg_predict_plan *plan)
{
    double rows = (double)sg_round_up(STRIP_ROWS, sg_max64(size->source_rows, 1));
    rows = rows < (double)plan->grid.tile_h ? rows : (double)plan->grid.tile_h;
    double strip = rows * (double)plan->grid.tile_w * WIDE_BYTES;
    return plan->readers * (strip + size->source_block + READER_ALLOWANCE);
}

/* At the end: tables of one file, on rank 0; what is put together of pieces, the last level of
 * those made of level 0, on all. */
static double assembly_bytes(const sg_records *records, double pixel, double block, double piece)
{
    const sg_pyramid *p = &records->pyramid;
    const sg_level *rest = &p->level[sg_pyramid_direct(p)];
    double whole = p->levels > 1 ? 1.25 * (double)rest->width * (double)rest->height * pixel : 0;
    return (double)sg_records_count(records) * TABLE_BYTES + CANVAS + 3 * block + 2 * piece + whole;
}

static void add_output(const sg_predict_options *options, const sg_predict_plan *plan, double chunk,
                       double pixel, sg_predict_memory *memory)
{
    const sg_grid *grid = &plan->grid;
    const sg_format *format = &options->format;
    double block = (double)format->block * format->block * pixel;
    double overview = format->overviews ? chunk * pixel / 4 : 0;
    sg_pyramid pyramid;
    sg_records records;
    sg_pyramid_make(&pyramid, grid->part.w, grid->part.h, format->block, format->overviews);
    sg_records_make(&records, &pyramid, grid->chunk_w, grid->chunk_h);
    memory->outputs += 2 * overview + 4 * block;
    memory->tables += (double)sg_records_count(&records) * RECORD_BYTES;
    memory->assembly += assembly_bytes(&records, pixel, block, overview);
}

/* Of a chunk as it is stitched. */
static double reach_pixels(const sg_grid *grid)
{
    int64_t width, height;
    sg_grid_longest_reach(grid, &width, &height);
    return (double)width * (double)height;
}

static double stitched_bands(const sg_network *network, const sg_predict_plan *plan)
{
    return plan->crf.iterations > 0 ? sizeof(float) * network->checkpoint.spec.bands : 0;
}

double sg_predict_crf_bytes(const sg_network *network, const sg_predict_plan *plan)
{
    const sg_spec *spec = &network->checkpoint.spec;
    if (plan->crf.iterations == 0)
        return 0;
    return sg_crf_bytes(&plan->crf, spec->bands, spec->classes.count,
                        sg_refine_field(&plan->grid)) +
           (double)plan->grid.frame * (double)plan->grid.frame + THREAD_ALLOWANCE;
}

sg_err sg_predict_need(const sg_predict_options *options, const sg_network *network,
                       const sg_predict_size *size, const sg_predict_rank *rank,
                       const sg_predict_plan *plan, sg_predict_memory *memory)
{
    const sg_grid *grid = &plan->grid;
    double batch = (double)grid->tile_w * (double)grid->tile_h * plan->batch;
    double chunk = (double)sg_min64(grid->chunk_w, grid->part.w) *
                   (double)sg_min64(grid->chunk_h, grid->part.h);
    double result =
        1 + (size->want_probabilities ? sg_predict_pixel_bytes(network, SG_OUT_PROBABILITIES) : 0);
    *memory = (sg_predict_memory){.program = rank->resident + ALLOWANCE,
                                  .cache = plan->cache,
                                  .readers = reader_bytes(size, plan)};
    memory->batches = 2 * batch * (sizeof(float) * network->checkpoint.spec.bands + 1);
    memory->batches += batch * result;
    if (!network->backend->host_memory) /* a third batch, and the memory that copies go through */
        memory->batches +=
            batch * (3 * sizeof(float) * network->checkpoint.spec.bands + 3) + 2 * batch * result;
    memory->chunks = 2 * reach_pixels(grid) * (result + stitched_bands(network, plan));
    memory->crf = plan->crf_workers * sg_predict_crf_bytes(network, plan);
    if (plan->crf.iterations > 0)
        memory->crf += chunk * result;
    memory->outputs = chunk * (1 + (size->wanted[SG_OUT_CONFIDENCE] ? sizeof(float) : 0));
    for (int i = 0; i < SG_OUTPUTS; i++)
        if (size->wanted[i])
            add_output(options, plan, chunk, sg_predict_pixel_bytes(network, i), memory);
    memory->assembly += sg_products_bytes(options, grid->part.w);
    sg_err err = network_bytes(network, plan, rank->threads, &memory->network);
    if (plan->augment) {
        const sg_spec *spec = &network->checkpoint.spec;
        memory->batches += batch * sg_augment_bytes_per_pixel(spec->bands, spec->classes.count);
        memory->network *= grid->tile_w == grid->tile_h ? 1 : 2; /* one more for turned tiles */
    }
    return err;
}

double sg_predict_most(const sg_predict_memory *m)
{
    double always = m->program + m->cache + m->network + m->outputs + m->tables;
    double working = m->readers + m->batches + m->chunks + m->crf;
    return always + (working > m->assembly ? working : m->assembly);
}
