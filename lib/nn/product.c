#include "nn/product.h"

#include <string.h>

#include "base/banned.h"

#define EDGE_ROWS 64 /* of a strip whose columns do not fill its lanes */

/* Whole vectors: a call of memcpy for each short row takes longer than the row. */
CA_CLONES static void copy_lanes(size_t rows, size_t lanes, const ca_real *from, size_t ld, ca_real *to)
{
    for (size_t r = 0; r < rows; r++, from += ld)
        for (size_t l = 0; l < lanes; l++, to += CA_LANES)
            *(ca_lanes_any *)(void *)to = CA_LOAD(from + l * CA_LANES);
}

/* panel(k, lanes CA_LANES) = the columns of B from `from` on, zeros after the last */
static void load_panel(const struct ca_product *p, size_t step, size_t k, size_t from, size_t cols, size_t lanes,
                       ca_real *panel)
{
    size_t width = lanes * CA_LANES;

    if (p->b_turned) {
        ca_tile_turn(cols, k, p->b + from * p->ldb + step, p->ldb, lanes, panel);
        return;
    }
    if (cols == width) {
        copy_lanes(k, lanes, p->b + step * p->ldb + from, p->ldb, panel);
        return;
    }
    for (size_t l = 0; l < k; l++, panel += width) {
        memcpy(panel, p->b + (step + l) * p->ldb + from, cols * sizeof *panel);
        if (cols < width)
            memset(panel + cols, 0, (width - cols) * sizeof *panel);
    }
}

/* Is B read where it lies? It must have whole lanes, and be without gaps or used but a few times. */
static int in_place(const struct ca_product *p, size_t cols, size_t lanes)
{
    return !p->b_turned && cols == lanes * CA_LANES && (p->ldb == cols || p->m <= 16);
}

/* Columns that do not fill their lanes go through a strip apart. */
static void edge(ca_tile *tile, struct ca_strip *s, size_t cols)
{
    _Alignas(64) ca_real part[EDGE_ROWS * CA_TILE_COLS];
    ca_real *c = s->c;
    size_t c_row = s->c_row, rows = s->rows, width = s->lanes * CA_LANES;
    int add = s->add;

    s->c = part;
    s->c_row = width;
    s->add = 0;
    for (size_t from = 0; from < rows; from += s->rows, s->a += s->rows * s->a_row) {
        s->rows = rows - from < EDGE_ROWS ? rows - from : EDGE_ROWS;
        tile(s);
        for (size_t i = 0; i < s->rows; i++) {
            ca_real *y = c + (from + i) * c_row;
            if (add)
                for (size_t j = 0; j < cols; j++)
                    y[j] += part[i * width + j];
            else
                memcpy(y, part + i * width, cols * sizeof *y);
        }
    }
}

void ca_product(ca_tile *tile, const struct ca_product *p)
{
    _Alignas(64) ca_real panel[CA_TILE_STEPS * CA_TILE_COLS];

    for (size_t step = 0; step < p->k; step += CA_TILE_STEPS) {
        size_t k = p->k - step < CA_TILE_STEPS ? p->k - step : CA_TILE_STEPS, cols;

        for (size_t from = 0; from < p->n; from += cols) {
            size_t left = (p->n - from + CA_LANES - 1) / CA_LANES, panels = (left + CA_TILE_LANES - 1) / CA_TILE_LANES;
            size_t lanes = (left + panels - 1) / panels; /* 64 columns are 32 + 32, not 48 + 16 */
            struct ca_strip s = {.rows = p->m, .lanes = lanes, .k = k, .a = p->a + step * p->a_k, .a_row = p->a_row,
                                 .a_k = p->a_k, .b = panel, .b_k = lanes * CA_LANES, .c = p->c + from, .c_row = p->ldc,
                                 .add = p->add || step};

            cols = p->n - from < lanes * CA_LANES ? p->n - from : lanes * CA_LANES;
            if (in_place(p, cols, lanes)) {
                s.b = p->b + step * p->ldb + from;
                s.b_k = p->ldb;
            } else {
                load_panel(p, step, k, from, cols, lanes, panel);
            }
            if (cols == lanes * CA_LANES)
                tile(&s);
            else
                edge(tile, &s, cols);
        }
    }
}
