#include "jobs/label_walk.h"

#include "base/size.h"

sg_err sg_label_walk_open(sg_label_walk *walk, const sg_comm *comm, const sg_scenes *scenes,
                          int64_t side, sg_label_visit visit, void *user)
{
    *walk = (sg_label_walk){.scenes = scenes,
                            .side = side,
                            .rank = sg_comm_rank(comm),
                            .ranks = sg_comm_ranks(comm),
                            .visit = visit,
                            .user = user};
    return sg_malloc((size_t)side, (size_t)side, &walk->classes);
}

void sg_label_walk_close(sg_label_walk *walk)
{
    sg_free(walk->classes);
}

sg_err sg_label_walk_region(sg_label_walk *walk, const sg_region *region)
{
    const sg_window all = region->window;
    const int64_t side = walk->side;
    sg_source *source = NULL;
    sg_err err = SG_OK;
    for (int64_t y = all.y; err == SG_OK && y < all.y + all.h; y += side) {
        for (int64_t x = all.x; err == SG_OK && x < all.x + all.w; x += side) {
            sg_window piece = sg_window_intersect((sg_window){x, y, side, side}, all);
            if (walk->turn++ % walk->ranks != walk->rank)
                continue;
            if (source == NULL)
                err = sg_source_open(&source, walk->scenes, region->scene);
            if (err == SG_OK)
                err = sg_source_labels(source, piece, walk->classes);
            if (err == SG_OK)
                err = walk->visit(walk->user, piece, walk->classes);
        }
    }
    sg_source_close(source);
    return err;
}
