/* base/: strict numbers, golden random draws, error texts, the worker pool. */
#include "base/err.h"
#include "base/num.h"
#include "base/pool.h"
#include "base/rng.h"
#include "tap.h"

static void mark(void *arg, size_t task, unsigned worker)
{
    (void)worker;
    ((int *)arg)[task]++;
}

int main(void)
{
    int64_t i;
    uint64_t u;
    double d;
    struct ca_err err = {0};
    char text[800];
    uint32_t w[4];
    /* The published known answer of Philox4x32-10 for an all-zero key and counter. */
    struct ca_rng zero = {{0, 0}, {0, 0}};

    OK(!ca_num_i64("-12", -100, 100, &i) && i == -12, "a negative integer");
    OK(ca_num_i64("12x", -100, 100, &i), "trailing text is refused");
    OK(ca_num_i64(" 12", -100, 100, &i), "leading space is refused");
    OK(ca_num_i64("101", -100, 100, &i), "out of range is refused");
    OK(!ca_num_double("1e-3", 0, 1, &d) && d == 1e-3, "a real");
    OK(ca_num_double("1e-3x", 0, 1, &d) && ca_num_double("nan", 0, 1, &d) && ca_num_double("0x1p3", 0, 9, &d),
       "half a real, nan and hexadecimal are refused");
    OK(!ca_num_count("5M", 0, UINT64_MAX, &u) && u == 5000000, "a count with a suffix");
    OK(ca_num_count("99999999999G", 0, UINT64_MAX, &u), "an overflowing count is refused");

    ca_rng_block(&zero, 0, w);
    OK(w[0] == 0x6627e8d5u && w[1] == 0xe169c58du && w[2] == 0xbc57ac4cu && w[3] == 0x9b00dbd8u,
       "Philox4x32-10 gives its published known answer");

    struct ca_rng a = ca_rng_make(1, "x"), b = ca_rng_make(1, "y");
    OK(ca_rng_u64(&a, 7) == ca_rng_u64(&a, 7) && ca_rng_u64(&a, 7) != ca_rng_u64(&b, 7),
       "a draw depends on seed, purpose and index alone");
    double sum = 0, sq = 0;
    for (uint64_t k = 0; k < 100000; k++) {
        double x = ca_rng_normal(&a, k);
        sum += x;
        sq += x * x;
    }
    CLOSE(sum / 1e5, 0, 0.012, "normal mean");
    CLOSE(sq / 1e5, 1, 0.02, "normal variance");

    (void)ca_err_set(&err, CA_ECHECKSUM, "block checksum mismatch");
    (void)ca_err_set(&err, CA_EREAD, "later fault");
    (void)ca_err_at(&err, "clicks.car", 73412, 1024);
    STR_EQ(ca_err_format(&err, text, sizeof text),
           "block checksum mismatch: 'clicks.car' at byte 73412 (record 1024)", "the first fault wins and says where");
    OK(ca_err_exit_status(CA_ETRUNCATED) == 3 && ca_err_exit_status(CA_EWRITE) == 4 && ca_err_exit_status(-99) == 70,
       "exit statuses by family");

    for (unsigned t = 1; t <= 4; t++) {
        int hit[1000] = {0}, all = 1;
        struct ca_err e = {0};
        struct ca_pool *p = ca_pool_new(t, &e);
        for (int round = 0; p && round < 50; round++)
            ca_pool_run(p, 1000, mark, hit);
        for (int k = 0; k < 1000; k++)
            all &= hit[k] == 50;
        OK(all, "every task runs once a round");
        ca_pool_free(p);
    }
    return tap_done();
}
