#include "nn/grid.h"

#include "base/banned.h"

#define TILE 4 /* 16 sums in registers; 8 vectors are read for 16 products */

/* Of a tile at (i, j). Sums are in registers only where the compiler sees every loop over them to its end. */
CA_INLINE void grid_tile(size_t m, size_t n, const struct ca_grid_product *g, int add, size_t i, size_t j)
{
    ca_lanes sum[TILE][TILE];
    size_t a_row = g->a.row * CA_LANES, a_col = g->a.col * CA_LANES, b_row = g->b.row * CA_LANES;
    size_t b_col = g->b.col * CA_LANES, c_row = g->c.row * CA_LANES, c_col = g->c.col * CA_LANES, k = g->k;
    const ca_real *x = g->a.p + i * a_row, *y = g->b.p + j * b_col;
    ca_real *z = g->c.p + i * c_row + j * c_col, scale = g->scale;

    CA_UNROLL
    for (size_t s = 0; s < m; s++)
        CA_UNROLL
        for (size_t t = 0; t < n; t++)
            sum[s][t] = (ca_lanes){0};
    for (size_t l = 0; l < k; l++, x += a_col, y += b_row) {
        ca_lanes u[TILE];
        CA_UNROLL
        for (size_t t = 0; t < n; t++)
            u[t] = CA_LOAD(y + t * b_col);
        CA_UNROLL
        for (size_t s = 0; s < m; s++) {
            ca_lanes v = CA_LOAD(x + s * a_row);
            CA_UNROLL
            for (size_t t = 0; t < n; t++)
                sum[s][t] += v * u[t];
        }
    }
    CA_UNROLL
    for (size_t s = 0; s < m; s++)
        CA_UNROLL
        for (size_t t = 0; t < n; t++) {
            ca_real *at = z + s * c_row + t * c_col;

            sum[s][t] *= scale;
            if (add)
                sum[s][t] += CA_LOAD(at);
            *(ca_lanes_any *)(void *)at = sum[s][t];
        }
}

CA_INLINE void grid_rows(size_t m, const struct ca_grid_product *g, int add, size_t i)
{
    size_t j = 0;

    for (; j + TILE <= g->n; j += TILE)
        grid_tile(m, TILE, g, add, i, j);
    for (; j + 2 <= g->n; j += 2)
        grid_tile(m, 2, g, add, i, j);
    if (j < g->n)
        grid_tile(m, 1, g, add, i, j);
}

CA_INLINE void grid_all(const struct ca_grid_product *g, int add)
{
    size_t i = 0;

    for (; i + TILE <= g->m; i += TILE)
        grid_rows(TILE, g, add, i);
    for (; i + 2 <= g->m; i += 2)
        grid_rows(2, g, add, i);
    if (i < g->m)
        grid_rows(1, g, add, i);
}

CA_CLONES void ca_grid_product(const struct ca_grid_product *g)
{
    grid_all(g, 0);
}

CA_CLONES void ca_grid_product_add(const struct ca_grid_product *g)
{
    grid_all(g, 1);
}
