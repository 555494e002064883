#include "nn/tile.h"

#include "nn/lanes.h"

#if defined(__x86_64__) && !defined(CA_DOUBLE)
#define FUSED 1
#include <immintrin.h>
#else
#define FUSED 0
#endif

#include "base/banned.h"

#define FORCE_INLINE __attribute__((always_inline)) inline

/* ---- plain ---- */

#define PLAIN_ROWS 4 /* of 16 columns: what fits into the registers of a machine without wide ones */

CA_INLINE void plain_tile(const struct ca_strip *s, size_t row, size_t rows, size_t at)
{
    ca_lanes sum[PLAIN_ROWS];

    for (size_t i = 0; i < rows; i++)
        sum[i] = (ca_lanes){0};
    for (size_t l = 0; l < s->k; l++)
        for (size_t i = 0; i < rows; i++)
            sum[i] += s->a[(row + i) * s->a_row + l * s->a_k] * CA_LOAD(s->b + l * s->b_k + at);
    for (size_t i = 0; i < rows; i++) {
        ca_real *c = s->c + (row + i) * s->c_row + at;
        if (s->add)
            sum[i] += CA_LOAD(c);
        *(ca_lanes_any *)(void *)c = sum[i];
    }
}

static void plain(const struct ca_strip *s)
{
    for (size_t at = 0; at < s->lanes * CA_LANES; at += CA_LANES) {
        size_t row = 0;

        for (; row + PLAIN_ROWS <= s->rows; row += PLAIN_ROWS)
            plain_tile(s, row, PLAIN_ROWS, at);
        for (; row < s->rows; row++)
            plain_tile(s, row, 1, at);
    }
}

#if FUSED

/* ---- AVX-512: 8 rows of up to 48 columns, 24 sums in the 32 registers; 98 % of the peak where B is in reach ---- */

#define AVX512 __attribute__((target("avx512f")))
#define ROWS_512 8

AVX512 static FORCE_INLINE void tile_512(const struct ca_strip *s, size_t row, size_t rows, size_t lanes)
{
    const float *a = s->a + row * s->a_row, *b = s->b;
    __m512 sum[ROWS_512][CA_TILE_LANES];

    /* what is added to is on its way while the sums are made */
    for (size_t i = 0; i < rows && s->add && s->k > 64; i++)
        for (size_t j = 0; j < lanes; j++)
            __builtin_prefetch(s->c + (row + i) * s->c_row + j * CA_LANES + CA_LANES - 1, 1);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < lanes; j++)
            sum[i][j] = _mm512_setzero_ps();
    for (size_t l = 0; l < s->k; l++, a += s->a_k, b += s->b_k) {
        __m512 x[CA_TILE_LANES];
        for (size_t j = 0; j < lanes; j++)
            x[j] = _mm512_loadu_ps(b + j * CA_LANES);
        for (size_t i = 0; i < rows; i++) {
            __m512 q = _mm512_set1_ps(a[i * s->a_row]);
            for (size_t j = 0; j < lanes; j++)
                sum[i][j] = _mm512_fmadd_ps(q, x[j], sum[i][j]);
        }
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < lanes; j++) {
            float *c = s->c + (row + i) * s->c_row + j * CA_LANES;
            _mm512_storeu_ps(c, s->add ? _mm512_add_ps(_mm512_loadu_ps(c), sum[i][j]) : sum[i][j]);
        }
}

AVX512 static FORCE_INLINE void strip_512(const struct ca_strip *s, size_t lanes)
{
    size_t row = 0;

    for (; row + ROWS_512 <= s->rows; row += ROWS_512)
        tile_512(s, row, ROWS_512, lanes);
    if (s->rows - row >= 4) {
        tile_512(s, row, 4, lanes);
        row += 4;
    }
    for (; row < s->rows; row++)
        tile_512(s, row, 1, lanes);
}

AVX512 static void avx512(const struct ca_strip *s)
{
    if (s->lanes == 3)
        strip_512(s, 3);
    else if (s->lanes == 2)
        strip_512(s, 2);
    else
        strip_512(s, 1);
}

/* ---- AVX2: 6 rows of 16 columns, 12 sums in the 16 registers ---- */

#define AVX2 __attribute__((target("avx2,fma")))
#define ROWS_256 6

AVX2 static FORCE_INLINE void tile_256(const struct ca_strip *s, size_t row, size_t rows, size_t at)
{
    const float *a = s->a + row * s->a_row, *b = s->b + at;
    __m256 sum[ROWS_256][2];

    for (size_t i = 0; i < rows; i++)
        sum[i][0] = sum[i][1] = _mm256_setzero_ps();
    for (size_t l = 0; l < s->k; l++, a += s->a_k, b += s->b_k) {
        __m256 x = _mm256_loadu_ps(b), y = _mm256_loadu_ps(b + 8);
        for (size_t i = 0; i < rows; i++) {
            __m256 q = _mm256_broadcast_ss(a + i * s->a_row);
            sum[i][0] = _mm256_fmadd_ps(q, x, sum[i][0]);
            sum[i][1] = _mm256_fmadd_ps(q, y, sum[i][1]);
        }
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < 2; j++) {
            float *c = s->c + (row + i) * s->c_row + at + 8 * j;
            _mm256_storeu_ps(c, s->add ? _mm256_add_ps(_mm256_loadu_ps(c), sum[i][j]) : sum[i][j]);
        }
}

AVX2 static void avx2(const struct ca_strip *s)
{
    for (size_t at = 0; at < s->lanes * CA_LANES; at += CA_LANES) {
        size_t row = 0;

        for (; row + ROWS_256 <= s->rows; row += ROWS_256)
            tile_256(s, row, ROWS_256, at);
        if (s->rows - row >= 4) {
            tile_256(s, row, 4, at);
            row += 4;
        }
        for (; row < s->rows; row++)
            tile_256(s, row, 1, at);
    }
}

#endif

ca_tile *ca_tile_of(enum ca_tile_kind kind)
{
#if FUSED
    if (kind == CA_TILE_AVX512)
        return __builtin_cpu_supports("avx512f") ? avx512 : NULL;
    if (kind == CA_TILE_AVX2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? avx2 : NULL;
#endif
    return kind == CA_TILE_PLAIN ? plain : NULL;
}

enum ca_tile_kind ca_tile_kind(void)
{
    enum ca_tile_kind kind = CA_TILE_KINDS - 1;

    while (kind > CA_TILE_PLAIN && !ca_tile_of(kind))
        kind--;
    return kind;
}

ca_tile *ca_tile_best(void)
{
    return ca_tile_of(ca_tile_kind());
}

const char *ca_tile_name(enum ca_tile_kind kind)
{
    static const char *const name[] = {"plain", "AVX2", "AVX-512"};

    return name[kind];
}

/* ---- turning ---- */

CA_CLONES void ca_tile_turn(size_t rows, size_t cols, const ca_real *from, size_t ld, size_t lanes, ca_real *to)
{
    size_t width = lanes * CA_LANES, whole = rows / CA_LANES * CA_LANES, squares = cols / CA_LANES * CA_LANES;

    for (size_t r = 0; r < whole; r += CA_LANES)
        for (size_t c = 0; c < squares; c += CA_LANES)
            ca_turn_square(from + r * ld + c, ld, to + c * width + r, width);
    for (size_t c = squares; c < cols; c++)
        for (size_t r = 0; r < whole; r++)
            to[c * width + r] = from[r * ld + c];
    for (size_t c = 0; c < cols && whole < width; c++) {
        for (size_t r = whole; r < rows; r++)
            to[c * width + r] = from[r * ld + c];
        for (size_t r = rows; r < width; r++)
            to[c * width + r] = 0;
    }
}
