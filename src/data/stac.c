#include "data/stac.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_vsi.h>
#include <ctype.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/file.h"
#include "base/size.h"
#include "base/text.h"

enum { ASSETS_MOST = 64, FILE_MOST = 256 << 20, DEPTH_MOST = 64, LIST_TEXT = 256 };

typedef struct {
    const char *file; /* being read */
    const char *wanted;
    sg_stac_fn each;
    void *user;
    int64_t items;
} reading;

sg_err sg_path_of_url(char *out, const char *url)
{
    static const char *const scheme[][2] = {{"http://", "/vsicurl/http://"},
                                            {"https://", "/vsicurl/https://"},
                                            {"s3://", "/vsis3/"},
                                            {"gs://", "/vsigs/"},
                                            {"file://", ""}};
    for (size_t i = 0; i < sizeof scheme / sizeof *scheme; i++)
        if (strncmp(url, scheme[i][0], strlen(scheme[i][0])) == 0)
            return sg_path_format(out, "%s%s", scheme[i][1], url + strlen(scheme[i][0]));
    return sg_path_format(out, "%s", url);
}

sg_err sg_path_beside(char *out, const char *file, const char *reference)
{
    int folder = (int)(sg_path_base(file) - file);
    if (reference[0] == '/' || strstr(reference, "://"))
        return sg_path_of_url(out, reference);
    while (strncmp(reference, "./", 2) == 0)
        reference += 2;
    return sg_path_format(out, "%.*s%s", folder, file, reference);
}

/* ---- JSON ---- */

static sg_err parse_failed(const char *path, json_tokener *tokener)
{
    enum json_tokener_error code = json_tokener_get_error(tokener);
    return sg_fail(SG_EINPUT, "%s: is no JSON: %s at byte %zu", path,
                   code == json_tokener_continue ? "it ends early" : json_tokener_error_desc(code),
                   json_tokener_get_parse_end(tokener));
}

static sg_err read_json(const char *path, json_object **out)
{
    GByte *data = NULL;
    vsi_l_offset bytes = 0;
    *out = NULL;
    CPLErrorReset();
    if (!VSIIngestFile(NULL, path, &data, &bytes, FILE_MOST))
        return sg_fail(SG_EINPUT, "%s: cannot be read: %s", path,
                       *CPLGetLastErrorMsg() ? CPLGetLastErrorMsg() : "no such file");
    json_tokener *tokener = json_tokener_new_ex(DEPTH_MOST);
    sg_err err = tokener ? SG_OK : sg_fail(SG_ENOMEM, "%s: no memory to read it", path);
    if (err == SG_OK) {
        *out = json_tokener_parse_ex(tokener, (const char *)data, (int)bytes);
        if (json_tokener_get_error(tokener) != json_tokener_success)
            err = parse_failed(path, tokener);
        json_tokener_free(tokener);
    }
    CPLFree(data);
    return err;
}

/* A member of an object: NULL where there is none, or it is of another type. */
static json_object *member(json_object *object, const char *name, json_type type)
{
    json_object *value = NULL;
    if (!json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, name, &value) || !json_object_is_type(value, type))
        return NULL;
    return value;
}

static const char *text_of(json_object *object, const char *name)
{
    json_object *value = member(object, name, json_type_string);
    return value ? json_object_get_string(value) : "";
}

/* ---- assets ---- */

static bool has_role(json_object *asset, const char *role)
{
    json_object *roles = member(asset, "roles", json_type_array);
    for (size_t i = 0; roles && i < json_object_array_length(roles); i++) {
        json_object *one = json_object_array_get_idx(roles, i);
        if (json_object_is_type(one, json_type_string) &&
            strcmp(json_object_get_string(one), role) == 0)
            return true;
    }
    return false;
}

static bool is_raster(json_object *asset)
{
    static const char *const types[] = {"image/tiff", "image/vnd.stac.geotiff", "image/jp2"};
    const char *type = text_of(asset, "type");
    if (!*text_of(asset, "href") || has_role(asset, "thumbnail") || has_role(asset, "overview"))
        return false;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strncmp(type, types[i], strlen(types[i])) == 0)
            return true;
    return !*type && has_role(asset, "data");
}

static void list_names(json_object *assets, bool rasters, char text[LIST_TEXT])
{
    size_t used = 0;
    text[0] = '\0';
    json_object_object_foreach(assets, name, asset)
    {
        if ((!rasters || is_raster(asset)) && used < LIST_TEXT)
            used += (size_t)snprintf(text + used, LIST_TEXT - used, "%s%s", used ? ", " : "", name);
    }
}

/* The only raster; of several the only one with the role "data". */
static sg_err find_only(const reading *r, const char *id, json_object *assets, json_object **found)
{
    json_object *raster = NULL, *data = NULL;
    int rasters = 0, datas = 0;
    char names[LIST_TEXT];
    json_object_object_foreach(assets, name, asset)
    {
        (void)name;
        if (!is_raster(asset))
            continue;
        raster = asset;
        rasters++;
        if (has_role(asset, "data")) {
            data = asset;
            datas++;
        }
    }
    *found = datas == 1 ? data : rasters == 1 ? raster : NULL;
    if (*found)
        return SG_OK;
    list_names(assets, rasters > 0, names);
    if (rasters > 0)
        return sg_fail(SG_EINPUT,
                       "%s: item %s has several rasters: %s; choose with --asset NAME, or "
                       "--asset NAME,NAME for one band of each",
                       r->file, id, names);
    return sg_fail(SG_EINPUT, "%s: item %s has no asset that is a raster; its assets: %s", r->file,
                   id, *names ? names : "none");
}

static sg_err find_named(const reading *r, const char *id, json_object *assets, const char *name,
                         json_object **found)
{
    char names[LIST_TEXT];
    *found = member(assets, name, json_type_object);
    if (*found && *text_of(*found, "href"))
        return SG_OK;
    list_names(assets, false, names);
    return sg_fail(SG_EINPUT, "%s: item %s has no asset '%s'; it has: %s", r->file, id, name,
                   names);
}

typedef struct {
    char path[ASSETS_MOST][SG_PATH_MAX];
    const char *list[ASSETS_MOST];
    size_t count;
} chosen;

static sg_err add_asset(const reading *r, json_object *asset, chosen *c)
{
    if (c->count == ASSETS_MOST)
        return sg_fail(SG_EUSAGE, "--asset %s: more than %d names", r->wanted, ASSETS_MOST);
    c->list[c->count] = c->path[c->count];
    return sg_path_beside(c->path[c->count++], r->file, text_of(asset, "href"));
}

static sg_err choose_assets(const reading *r, const char *id, json_object *assets, chosen *c)
{
    json_object *asset = NULL;
    sg_err err = SG_OK;
    if (!r->wanted) {
        err = find_only(r, id, assets, &asset);
        return err == SG_OK ? add_asset(r, asset, c) : err;
    }
    for (const char *word = r->wanted; err == SG_OK && word;) {
        char name[LIST_TEXT];
        size_t length = strcspn(word, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, word);
        err = find_named(r, id, assets, name, &asset);
        if (err == SG_OK)
            err = add_asset(r, asset, c);
        word = word[length] ? word + length + 1 : NULL;
    }
    return err;
}

/* ---- items ---- */

/* Ids may hold anything; files' names may not. */
static void clean_id(const char *id, char out[LIST_TEXT])
{
    snprintf(out, LIST_TEXT, "%s", *id ? id : "item");
    for (char *c = out; *c; c++)
        if (*c == '/' || iscntrl((unsigned char)*c))
            *c = '_';
}

static sg_err take_item(reading *r, json_object *item)
{
    char id[LIST_TEXT];
    json_object *assets = member(item, "assets", json_type_object);
    chosen *c = NULL;
    clean_id(text_of(item, "id"), id);
    if (!assets)
        return sg_fail(SG_EINPUT, "%s: item %s has no assets: is it a STAC item?", r->file, id);
    sg_err err = sg_calloc(1, sizeof *c, &c);
    if (err == SG_OK)
        err = choose_assets(r, id, assets, c);
    if (err == SG_OK)
        err = r->each(r->user, id, c->list, c->count);
    r->items++;
    sg_free(c);
    return err;
}

static sg_err take_features(reading *r, json_object *root)
{
    json_object *features = member(root, "features", json_type_array);
    sg_err err = SG_OK;
    for (size_t i = 0; features && err == SG_OK && i < json_object_array_length(features); i++)
        err = take_item(r, json_object_array_get_idx(features, i));
    return err;
}

/* An item that a collection links to. */
static sg_err follow(reading *r, const char *href)
{
    char path[SG_PATH_MAX];
    json_object *item = NULL;
    const char *collection = r->file;
    sg_err err = sg_path_beside(path, r->file, href);
    if (err == SG_OK)
        err = read_json(path, &item);
    r->file = path;
    if (err == SG_OK)
        err = take_item(r, item);
    r->file = collection;
    json_object_put(item);
    return err;
}

static sg_err take_links(reading *r, json_object *root)
{
    json_object *links = member(root, "links", json_type_array);
    sg_err err = SG_OK;
    for (size_t i = 0; links && err == SG_OK && i < json_object_array_length(links); i++) {
        json_object *link = json_object_array_get_idx(links, i);
        if (strcmp(text_of(link, "rel"), "item") == 0)
            err = follow(r, text_of(link, "href"));
    }
    return err;
}

static sg_err take_root(reading *r, json_object *root)
{
    const char *type = text_of(root, "type");
    sg_err err = SG_OK;
    if (strcmp(type, "Feature") == 0)
        err = take_item(r, root);
    else if (strcmp(type, "FeatureCollection") == 0)
        err = take_features(r, root);
    else if (strcmp(type, "Collection") == 0)
        err = take_links(r, root);
    else
        return sg_fail(SG_EINPUT,
                       "%s: its type is '%s': a STAC item, ItemCollection or collection is needed",
                       r->file, type);
    if (err == SG_OK && r->items == 0)
        err = sg_fail(SG_EINPUT, "%s: names no item", r->file);
    return err;
}

sg_err sg_stac_each(const char *path, const char *assets, sg_stac_fn each, void *user)
{
    reading r = {.file = path, .wanted = assets, .each = each, .user = user};
    json_object *root = NULL;
    sg_err err = read_json(path, &root);
    if (err == SG_OK)
        err = take_root(&r, root);
    json_object_put(root);
    return err;
}
