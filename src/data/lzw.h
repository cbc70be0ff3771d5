/*
 * LZW as TIFF has it (TIFF 6.0, section 13): codes of 9 to 12 bits, the most significant bit first,
 * each width left one code early; a stream begins with the code that clears the table and ends with
 * one that says so. Encoding only: files are read by others. [local]
 */
#ifndef SG_DATA_LZW_H
#define SG_DATA_LZW_H

#include <stddef.h>
#include <stdint.h>

enum { SG_LZW_SLOTS = 1 << 14 };

/* The table of strings, hashed by (code of all but the last byte, last byte). */
typedef struct {
    uint32_t key[SG_LZW_SLOTS]; /* that pair + 1; 0: free */
    uint16_t code[SG_LZW_SLOTS];
} sg_lzw;

/* The most bytes that so many can become. */
size_t sg_lzw_bound(size_t bytes);
/* Encode into out, which has room for that many; returns how many. The table is working space. */
size_t sg_lzw_encode(sg_lzw *table, const uint8_t *in, size_t bytes, uint8_t *out);

#endif
