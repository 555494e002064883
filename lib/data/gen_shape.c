#include "data/gen_shape.h"

#include <math.h>
#include <stddef.h>

#include "data/gen.h"

#include "base/banned.h"

/* Numerics in the manner of Criteo's counts; missing shares as in its first 10,000 rows, rounded. */
static const struct ca_gen_numeric criteo_numeric[] = {
    {1.2f, 1.0f, 0.40f, 1}, {2.0f, 1.8f, 0.00f, 2}, {2.0f, 1.3f, 0.20f, 1}, {1.9f, 0.8f, 0.20f, 1},
    {7.0f, 2.0f, 0.03f, 1}, {3.6f, 1.4f, 0.20f, 1}, {1.7f, 1.3f, 0.04f, 1}, {2.3f, 0.9f, 0.00f, 1},
    {4.0f, 1.3f, 0.04f, 1}, {0.5f, 0.5f, 0.40f, 1}, {1.0f, 0.8f, 0.04f, 1}, {0.6f, 0.7f, 0.70f, 1},
    {1.8f, 0.9f, 0.20f, 1},
};
/* Table rows of the authors' run on Criteo, threshold 10 (1,085,727 in all). */
static const uint32_t criteo_size[] = {1458, 555, 193948, 138800, 306, 18, 11970, 634, 4, 42646, 5178, 192772, 3175,
                                       27, 11422, 181074, 11, 4654, 2031, 4, 189656, 17, 16, 59696, 85, 45570};
static const unsigned char criteo_missing[] = {0, 0, 3, 3, 0, 12, 0, 0, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 44, 44, 3, 70, 0, 3, 44, 44};
/* Interactions between fields of small, middle and large vocabulary, and of numerics with fields. */
static const struct ca_gen_pair criteo_pair[] = {
    {13 + 4, 13 + 13, 1.0f}, {13 + 1, 13 + 16, 1.0f}, {13 + 7, 13 + 22, 1.0f}, {13 + 24, 13 + 5, 0.8f},
    {13 + 0, 13 + 13, 0.8f}, {13 + 12, 13 + 21, 0.6f}, {13 + 17, 13 + 8, 0.6f}, {13 + 6, 13 + 16, 0.5f},
    {13 + 2, 13 + 13, 0.4f}, {13 + 15, 13 + 22, 0.4f}, {4, 13 + 7, 0.7f},       {6, 13 + 13, 0.7f},
};

/* Who asks (I1 to I6 and 16 fields) and what is shown, so that most interactions are between the two. */
static const unsigned char criteo_user[] = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0,
                                            1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1,
                                            0, 0, 1, 0, 1, 0, 1, 1, 0, 0, 0, 1, 0};

static const struct ca_gen_numeric small_numeric[] = {
    {1.2f, 1.0f, 0.30f, 1}, {2.0f, 1.5f, 0.00f, 2}, {4.0f, 1.6f, 0.05f, 1}, {1.0f, 0.8f, 0.00f, 1}};
static const uint32_t small_size[] = {100, 60, 800, 20, 8, 300, 700, 12};
static const unsigned char small_missing[] = {0, 0, 3, 10, 0, 0, 5, 0};
static const struct ca_gen_pair small_pair[] = {{4 + 0, 4 + 1, 1.0f}, {4 + 1, 4 + 3, 1.0f}, {4 + 0, 4 + 4, 1.0f},
                                               {4 + 2, 4 + 7, 0.7f}, {4 + 5, 4 + 3, 0.7f}, {2, 4 + 1, 0.7f}};
/* I1, I2, C1, C6, C7 and C8 are the user's. */
static const unsigned char small_user[] = {1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct ca_gen_shape shapes[] = {
    {COUNT(criteo_numeric), COUNT(criteo_size), 50000, criteo_numeric, criteo_size, criteo_missing, criteo_pair,
     COUNT(criteo_pair), criteo_user},
    {COUNT(small_numeric), COUNT(small_size), 2000, small_numeric, small_size, small_missing, small_pair,
     COUNT(small_pair), small_user},
};

const struct ca_gen_shape *ca_gen_shape(int preset)
{
    return &shapes[preset];
}

static uint32_t scaled_size(uint32_t published, double power)
{
    double v = round(pow(published, power));

    return v < 4.0 ? 4 : v > CA_GEN_MAX_VOCAB ? CA_GEN_MAX_VOCAB : (uint32_t)v;
}

void ca_gen_sizes(const struct ca_gen_shape *s, uint64_t total, uint32_t *size)
{
    double lo = 0.0, hi = 2.0;
    size_t largest = 0;
    uint64_t sum = 0;

    for (int i = 0; i < 60; i++) {
        double mid = 0.5 * (lo + hi);
        sum = 0;
        for (size_t f = 0; f < s->n_ids; f++)
            sum += scaled_size(s->size[f], mid);
        if (sum > total)
            hi = mid;
        else
            lo = mid;
    }
    sum = 0;
    for (size_t f = 0; f < s->n_ids; f++) {
        size[f] = scaled_size(s->size[f], lo);
        sum += size[f];
        if (size[f] > size[largest])
            largest = f;
    }
    size[largest] += (uint32_t)(total - sum);
}
