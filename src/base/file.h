/*
 * Files that are whole or absent. A sg_newfile is written under a temporary name in the final
 * folder ("NAME.tmp.PID"), flushed, and renamed; discarding removes it. All [local].
 */
#ifndef SG_BASE_FILE_H
#define SG_BASE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

#define SG_PATH_MAX 4096

/* The temporary name for final_path, into temporary (SG_PATH_MAX bytes). */
sg_err sg_file_temporary(const char *final_path, char *temporary);
/* fsync temporary, rename it to final_path, fsync the folder. */
sg_err sg_file_commit(const char *temporary, const char *final_path);
/* The same for a file that may replace one: what final_path held stays under the name former (NULL:
 * it goes). At every moment one of the two names holds a whole file. */
sg_err sg_file_replace(const char *temporary, const char *final_path, const char *former);
void sg_file_discard(const char *temporary);
/* Remove what killed processes have left under temporary names in a folder that no other process
 * works in. */
void sg_folder_tidy(const char *folder);

bool sg_file_exists(const char *path);
bool sg_is_folder(const char *path);
/* Create the folder and its parents. */
sg_err sg_make_folders(const char *path);
/* Write to an open file, however many calls it takes. SG_EOUTPUT names path. */
sg_err sg_file_write_all(int fd, const char *path, const void *data, size_t bytes);
/* The same at an offset of the file, wherever others write. */
sg_err sg_file_write_at(int fd, const char *path, const void *data, size_t bytes, int64_t offset);
/* Write text as a whole, atomically. */
sg_err sg_file_write_text(const char *path, const char *text);
/* Read a whole text file (at most 16 MiB) into *text; owned by the caller, sg_free. */
sg_err sg_file_read_text(const char *path, char **text);
/* snprintf into a path buffer of SG_PATH_MAX; SG_EUSAGE when it does not fit. */
sg_err sg_path_format(char *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The part of path after the last '/', the stem without folder and extension, and the trunk, which
 * lacks only the extension. */
const char *sg_path_base(const char *path);
sg_err sg_path_stem(char *out, const char *path);
sg_err sg_path_trunk(char *out, const char *path);

#endif
