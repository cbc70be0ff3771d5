#include "train/tensorboard.h"

sg_err sg_tensorboard_open(sg_tensorboard *board, const char *folder, const sg_class_table *classes,
                           bool resume, int64_t kept)
{
    sg_err err = sg_events_open(&board->events, folder);
    board->classes = classes;
    return !err && resume ? sg_events_restart(&board->events, kept + 1) : err;
}

static sg_err add_classes(sg_tensorboard *board, int64_t step, const sg_scores *val)
{
    const sg_class_table *classes = board->classes;
    sg_event event[SG_CLASSES_MAX];
    char tag[SG_CLASSES_MAX][SG_CLASS_NAME_MAX + 8];
    for (int32_t k = 0; k < classes->count; k++) {
        snprintf(tag[k], sizeof tag[k], "val_iou/%s", classes->item[k].name);
        event[k] = (sg_event){tag[k], val->iou[k]};
    }
    return sg_events_add(&board->events, step, event, (size_t)classes->count);
}

sg_err sg_tensorboard_add(sg_tensorboard *board, const sg_metrics_row *row)
{
    const sg_scores *val = row->validation;
    const sg_event step[] = {{"train/loss", row->loss},
                             {"train/lr", row->rate},
                             {"train/grad_norm", row->norm},
                             {"train/mpx_per_s", row->megapixels_per_s}};
    sg_err err = sg_events_add(&board->events, row->step, step, sizeof step / sizeof *step);
    if (err || !val)
        return err;
    const sg_event scores[] = {{"val/miou", val->miou},
                               {"val/mean_f1", val->mean_f1},
                               {"val/accuracy", val->accuracy},
                               {"val/kappa", val->kappa}};
    err = sg_events_add(&board->events, row->step, scores, sizeof scores / sizeof *scores);
    return err ? err : add_classes(board, row->step, val);
}

sg_err sg_tensorboard_show(sg_tensorboard *board, int64_t step, const sg_gallery *gallery)
{
    sg_err err = SG_OK;
    for (int32_t k = 0; !err && k < gallery->count; k++) {
        const sg_gallery_picture *picture = &gallery->picture[k];
        char tag[64];
        snprintf(tag, sizeof tag, "val_tiles/%d image, truth, prediction", (int)k + 1);
        const sg_event_image image = {tag, picture->width, picture->height, picture->png,
                                      picture->bytes};
        err = sg_events_add_image(&board->events, step, &image);
    }
    return err;
}

void sg_tensorboard_close(sg_tensorboard *board)
{
    sg_events_close(&board->events);
}
