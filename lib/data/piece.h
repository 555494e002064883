/*
 * A run of bytes that belongs to someone else. Not terminated, may hold any byte.
 */
#ifndef CA_DATA_PIECE_H
#define CA_DATA_PIECE_H

#include <stdint.h>

struct ca_piece {
    const char *p;
    uint32_t n;
};

#endif
