#include "jobs/predict_progress.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/size.h"
#include "base/text.h"

/* Seconds between two objects. */
static const double JSON_PAUSE = 1;

/* ---- what limits ---- */

/* Shares of the time of the network's thread; and of the writer's, which runs beside it. */
typedef struct {
    double network, read, written, write;
} shares;

static shares shares_of(const sg_pipeline_report *work)
{
    double wall = work->wall_s > 0 ? work->wall_s : 1;
    return (shares){work->network_s / wall, work->wait_s / wall, work->stall_s / wall,
                    work->write_s / wall};
}

static const char *limit_of(const shares *s)
{
    if (s->written > s->network && s->written > s->read)
        return "write";
    return s->read > s->network ? "read" : "network";
}

static sg_err add_shares(const shares *s, sg_text *text)
{
    return sg_text_add(text,
                       "\"limit\":\"%s\",\"network\":%.3f,\"read_wait\":%.3f,\"write_wait\":%.3f,"
                       "\"write\":%.3f",
                       limit_of(s), s->network, s->read, s->written, s->write);
}

static sg_err begin_object(const sg_predict_progress *p, const char *event, sg_text *text)
{
    sg_err err = sg_text_add(text, "{\"event\":\"%s\",\"output\":", event);
    return err == SG_OK ? sg_text_add_json(text, p->output) : err;
}

static void print(const sg_text *text)
{
    printf("%s}\n", text->data);
    fflush(stdout);
}

/* ---- on the way ---- */

void sg_predict_progress_start(sg_predict_progress *p)
{
    sg_progress_start(&p->line, "predict", p->chunks);
    p->line.found = p->found;
    p->began = sg_now();
    p->told = p->began - JSON_PAUSE;
}

/* Pixels that have been mapped in this run, by the share of chunks. */
static double mapped(const sg_predict_progress *p, int64_t finished)
{
    return (double)p->width * (double)p->height * (double)finished / (double)p->chunks;
}

static sg_err make_progress(const sg_predict_progress *p, int64_t finished, const shares *s,
                            double now, sg_text *text)
{
    double spent = now - p->began, pixels = mapped(p, finished);
    int64_t left = p->chunks - p->found - finished;
    sg_err err = begin_object(p, "progress", text);
    if (err == SG_OK)
        err = sg_text_add(text,
                          ",\"chunks_done\":%" PRId64 ",\"chunks\":%" PRId64
                          ",\"seconds\":%.3f,\"mpx_per_s\":%.3f,\"seconds_left\":",
                          p->found + finished, p->chunks, now - p->start,
                          spent > 0 ? pixels / 1e6 / spent : 0);
    if (err == SG_OK && finished > 0)
        err = sg_text_add(text, "%.3f,", spent * (double)left / (double)finished);
    else if (err == SG_OK)
        err = sg_text_add(text, "null,");
    return err == SG_OK ? add_shares(s, text) : err;
}

static void tell_json(sg_predict_progress *p, int64_t finished, const shares *s)
{
    double now = sg_now();
    sg_text text = {0};
    bool last = p->found + finished == p->chunks;
    if (sg_log_rank() != 0 || (!last && now - p->told < JSON_PAUSE))
        return;
    p->told = now;
    if (make_progress(p, finished, s, now, &text) == SG_OK)
        print(&text);
    sg_text_clear(&text);
}

void sg_predict_progress_show(sg_predict_progress *p, int64_t finished,
                              const sg_pipeline_report *work)
{
    char extra[64];
    shares s = shares_of(work);
    if (p->json) {
        tell_json(p, finished, &s);
        return;
    }
    snprintf(extra, sizeof extra, "%.2f Mpx/s, %s limits",
             mapped(p, finished) / 1e6 / (sg_now() - p->began), limit_of(&s));
    sg_progress_show(&p->line, p->found + finished, extra);
}

void sg_predict_progress_end(sg_predict_progress *p)
{
    if (!p->json)
        sg_progress_end(&p->line);
}

/* ---- in the end ---- */

static sg_pipeline_report sum_up(const sg_predict_done *all, int ranks)
{
    sg_pipeline_report sum = {0};
    for (int i = 0; i < ranks; i++) {
        const sg_pipeline_report *work = &all[i].work;
        sum.computed += work->computed;
        sum.written += work->written;
        sum.batches += work->batches;
        sum.network_s += work->network_s;
        sum.wait_s += work->wait_s;
        sum.stall_s += work->stall_s;
        sum.write_s += work->write_s;
        sum.wall_s += work->wall_s;
    }
    return sum;
}

/* What one rank writes in a second of writing: reducing, compressing and the disk. */
typedef struct {
    double mpx, mb; /* millions of pixels, compressed bytes */
} write_rate;

static write_rate write_rate_of(const sg_predict_done *all, int ranks)
{
    write_rate sum = {0, 0};
    double seconds = 0;
    for (int i = 0; i < ranks; i++) {
        sum.mpx += (double)all[i].work.written / 1e6;
        sum.mb += (double)all[i].bytes / 1e6;
        seconds += all[i].work.write_s;
    }
    return seconds > 0 ? (write_rate){sum.mpx / seconds, sum.mb / seconds} : (write_rate){0, 0};
}

static double computed_times(const sg_pipeline_report *sum)
{
    return sum->written > 0 ? (double)sum->computed / (double)sum->written : 0;
}

static sg_err add_ranks(const sg_predict_done *all, int ranks, sg_text *text)
{
    sg_err err = SG_OK;
    for (int i = 0; err == SG_OK && i < ranks; i++) {
        const sg_pipeline_report *work = &all[i].work;
        err = sg_text_add(
            text,
            "%s{\"rank\":%d,\"chunks\":%" PRId64 ",\"pixels\":%" PRId64 ",\"bytes\":%" PRId64
            ",\"seconds\":%.3f,\"network_seconds\":%.3f,\"read_wait_seconds\":%.3f,"
            "\"write_wait_seconds\":%.3f,\"write_seconds\":%.3f}",
            i > 0 ? "," : "", i, all[i].chunks, work->written, all[i].bytes, work->wall_s,
            work->network_s, work->wait_s, work->stall_s, work->write_s);
    }
    return err == SG_OK ? sg_text_add(text, "]") : err;
}

static sg_err make_summary(const sg_predict_progress *p, const sg_predict_done *all, int ranks,
                           double seconds, sg_text *text)
{
    sg_pipeline_report sum = sum_up(all, ranks);
    shares s = shares_of(&sum);
    write_rate rate = write_rate_of(all, ranks);
    sg_err err = begin_object(p, "summary", text);
    if (err == SG_OK)
        err =
            sg_text_add(text,
                        ",\"width\":%" PRId64 ",\"height\":%" PRId64 ",\"chunks\":%" PRId64
                        ",\"chunks_found\":%" PRId64 ",\"seconds\":%.3f,\"assembly_seconds\":%.3f,"
                        "\"assembly_share\":%.4f,\"mpx_per_s\":%.3f,"
                        "\"computed_times\":%.4f,\"rank_writes_mpx_per_s\":%.3f,"
                        "\"rank_writes_mb_per_s\":%.3f,",
                        p->width, p->height, p->chunks, p->found, seconds, all[0].assembly,
                        all[0].assembly / seconds, (double)sum.written / 1e6 / seconds,
                        computed_times(&sum), rate.mpx, rate.mb);
    if (err == SG_OK)
        err = add_shares(&s, text);
    if (err == SG_OK)
        err = sg_text_add(text, ",\"ranks\":[");
    return err == SG_OK ? add_ranks(all, ranks, text) : err;
}

static void tell_people(const sg_predict_progress *p, const sg_predict_done *all, int ranks,
                        double seconds)
{
    sg_pipeline_report sum = sum_up(all, ranks);
    shares s = shares_of(&sum);
    write_rate rate = write_rate_of(all, ranks);
    sg_info("%s: %" PRId64 " x %" PRId64 " pixels in %.1f s, %.2f Mpx/s; computed %.3f times; "
            "network %.0f %%, waiting for reading %.0f %%, for writing %.0f %% of the time: %s "
            "limits; a rank writes %.1f Mpx/s (%.1f MB/s), in %.0f %% of the time; assembly with "
            "overviews %.1f s, %.1f %%",
            p->output, p->width, p->height, seconds, (double)sum.written / 1e6 / seconds,
            computed_times(&sum), 100 * s.network, 100 * s.read, 100 * s.written, limit_of(&s),
            rate.mpx, rate.mb, 100 * s.write, all[0].assembly, 100 * all[0].assembly / seconds);
}

sg_err sg_predict_summarise(const sg_predict_progress *p, sg_comm *comm,
                            const sg_predict_done *mine)
{
    int ranks = sg_comm_ranks(comm);
    double seconds = sg_now() - p->start;
    sg_predict_done *all = NULL;
    sg_text text = {0};
    sg_err err = sg_comm_agree(comm, sg_calloc((size_t)ranks, sizeof *all, &all));
    if (err != SG_OK) {
        sg_free(all);
        return err;
    }
    sg_comm_all_gather(comm, mine, sizeof *mine, all);
    tell_people(p, all, ranks, seconds);
    if (p->json && sg_comm_rank(comm) == 0) {
        err = make_summary(p, all, ranks, seconds, &text);
        if (err == SG_OK)
            print(&text);
    }
    sg_text_clear(&text);
    sg_free(all);
    return sg_comm_agree(comm, err);
}
