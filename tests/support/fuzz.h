/* What the libFuzzer targets share: a file that is only in memory, and that some input was
 * accepted. */
#ifndef TESTS_SUPPORT_FUZZ_H
#define TESTS_SUPPORT_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* To be called for each input that the reader takes: there is one in every corpus, and where none
 * ever is, nothing has been tested. */
static bool fuzz_any_accepted;

static inline void fuzz_accept(void)
{
    fuzz_any_accepted = true;
}

static void fuzz_check(void)
{
    if (fuzz_any_accepted)
        return;
    fputs("no input was ever accepted, not even those of the corpus\n", stderr);
    _Exit(1);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return atexit(fuzz_check);
}

/* The name of the one file of this process. HDF5 wants one that is in a folder. */
static inline const char *fuzz_path(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/dev/shm/segtiles_fuzz_%d", (int)getpid());
    return path;
}

/* The file with this content; remove it. */
static inline bool fuzz_file(const uint8_t *data, size_t size)
{
    FILE *file = fopen(fuzz_path(), "wb");
    bool whole = file && fwrite(data, 1, size, file) == size;
    return file && fclose(file) == 0 && whole;
}

#endif
