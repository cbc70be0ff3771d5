#include "data/lzw.h"

#include <string.h>

enum { CLEAR = 256, END = 257, FIRST = 258, LAST = 4094, LEAST_BITS = 9, MOST_BITS = 12 };

typedef struct {
    sg_lzw *table; /* borrowed */
    uint32_t next; /* the code of the next new string */
    uint32_t bits; /* of a code at present */
    uint32_t held, held_bits;
    uint8_t *out;
} encoder;

/* Every code at its largest, and a code to clear the table for each time that it is full. */
size_t sg_lzw_bound(size_t bytes)
{
    size_t codes = bytes + bytes / (LAST - FIRST) + 4;
    return codes + codes / 2 + 1;
}

static void put(encoder *e, uint32_t code)
{
    e->held = e->held << e->bits | code; /* at most 7 + 12 bits are of interest */
    e->held_bits += e->bits;
    while (e->held_bits >= 8) {
        e->held_bits -= 8;
        *e->out++ = (uint8_t)(e->held >> e->held_bits);
    }
}

static void clear(encoder *e)
{
    put(e, CLEAR);
    memset(e->table->key, 0, sizeof e->table->key);
    e->next = FIRST;
    e->bits = LEAST_BITS;
}

/* A string got the next code: the width grows with entries 511, 1023 and 2047, and the table is
 * cleared after entry 4094, both as section 13 has it. */
static void grow(encoder *e)
{
    e->next++;
    if (e->next > LAST)
        clear(e);
    else if (e->next >> e->bits != 0 && e->bits < MOST_BITS)
        e->bits++;
}

/* The slot of the string, or the free one where it would be. */
static uint32_t find(const sg_lzw *table, uint32_t key)
{
    uint32_t slot = (key * 2654435761u) >> 18; /* the golden ratio's 32 bits: Knuth's hash */
    while (table->key[slot] != 0 && table->key[slot] != key)
        slot = (slot + 1) % SG_LZW_SLOTS;
    return slot;
}

static void put_last(encoder *e, uint32_t prefix, size_t bytes)
{
    if (bytes > 0) {
        put(e, prefix);
        grow(e); /* a decoder adds a string for this code, too */
    }
    put(e, END);
    if (e->held_bits > 0)
        *e->out++ = (uint8_t)(e->held << (8 - e->held_bits));
}

size_t sg_lzw_encode(sg_lzw *table, const uint8_t *in, size_t bytes, uint8_t *out)
{
    encoder e = {.table = table, .bits = LEAST_BITS, .out = out};
    uint32_t prefix = bytes > 0 ? in[0] : 0;
    clear(&e);
    for (size_t i = 1; i < bytes; i++) {
        uint32_t key = (prefix << 8 | in[i]) + 1, slot = find(table, key);
        if (table->key[slot] == key) {
            prefix = table->code[slot];
            continue;
        }
        put(&e, prefix);
        table->key[slot] = key;
        table->code[slot] = (uint16_t)e.next;
        grow(&e);
        prefix = in[i];
    }
    put_last(&e, prefix, bytes);
    return (size_t)(e.out - out);
}
