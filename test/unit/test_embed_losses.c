/* The losses on embeddings: against PyTorch, how their draws fall, how the maps start, their bits. */
#include "embed_losses.h"

/* How many times each row is drawn, over many batches: all alike within five standard deviations. */
static void check_draws(void)
{
    static struct ca_rkd a, b;
    enum { N = 100, BATCHES = 50 };
    double seen[2][N] = {{0}}, total[2] = {0}, far = 0;
    int distinct = 1, in_range = 1;

    ca_rkd_init(&a, 7);
    ca_rkd_init(&b, 7);
    for (uint64_t step = 0; step < BATCHES; step++) {
        ca_rkd_draw(&a, step, N);
        for (size_t q = 0; q < a.n_pairs; q++) {
            const uint32_t *p = a.pair[q];
            distinct &= p[0] != p[1];
            for (size_t k = 0; k < 2; k++, total[0]++)
                if (!(p[k] < N))
                    in_range = 0;
                else
                    seen[0][p[k]]++;
        }
        for (size_t q = 0; q < a.n_triplets; q++) {
            const uint32_t *t = a.triplet[q];
            distinct &= t[0] != t[1] && t[0] != t[2] && t[1] != t[2];
            for (size_t k = 0; k < 3; k++, total[1]++)
                if (!(t[k] < N))
                    in_range = 0;
                else
                    seen[1][t[k]]++;
        }
    }
    OK(distinct, "no draw names a row twice");
    OK(in_range, "every draw is of the batch");
    for (int i = 0; i < 2; i++)
        for (size_t r = 0; r < N; r++)
            far = fmax(far, fabs(seen[i][r] - total[i] / N) / sqrt(total[i] / N));
    OK(far < 5, "and every row as likely as another");
    CLOSE(total[0] / 2 / BATCHES / CA_RKD_DRAWS, 0.99, 0.002, "pairs of a row with itself are left out");
    CLOSE(total[1] / 3 / BATCHES / CA_RKD_DRAWS, 0.99 * 0.98, 0.003, "triplets that name a row twice too");

    ca_rkd_draw(&b, BATCHES - 1, N);
    OK(a.n_pairs == b.n_pairs && !memcmp(a.pair, b.pair, a.n_pairs * sizeof *a.pair) &&
           a.n_triplets == b.n_triplets && !memcmp(a.triplet, b.triplet, a.n_triplets * sizeof *a.triplet),
       "a batch's draws do not depend on those before");
    ca_rkd_draw(&b, 3, N);
    OK(memcmp(a.pair, b.pair, 64) != 0, "another step draws others");
    ca_rkd_init(&b, 8);
    ca_rkd_draw(&b, BATCHES - 1, N);
    OK(memcmp(a.pair, b.pair, 64) != 0, "another seed too");
}

static void check_few_rows(void)
{
    static struct ca_rkd r;
    ca_real s[3] = {1, 5, 7}, ds[3] = {0};
    const struct ca_rkd_rows rows = {s, 1, 1};

    ca_rkd_init(&r, 1);
    ca_rkd_draw(&r, 0, 0);
    OK(!r.n_pairs && !r.n_triplets, "nothing is drawn of no rows");
    ca_rkd_draw(&r, 0, 1);
    OK(!r.n_pairs && !r.n_triplets, "nor of one");
    CLOSE(ca_rkd_loss(&r, 1, &rows, &rows, ds, 1), 0, 0, "whose loss is 0");
    ca_rkd_draw(&r, 0, 2);
    OK(r.n_pairs > 900 && !r.n_triplets, "two rows have pairs and no triplets");
    ca_rkd_draw(&r, 0, 3);
    OK(r.n_pairs > 1200 && r.n_triplets > 350, "three have both");
    CLOSE(ca_rkd_loss(&r, 1, &rows, &rows, ds, 1), 0, 0, "the loss against itself is 0");
    OK(ds[0] == 0 && ds[1] == 0 && ds[2] == 0, "and so is its gradient");
}

/* PyTorch's Linear: U(-1/sqrt(dS), 1/sqrt(dS)), every field its own. */
static void check_start(struct ca_pool *pool)
{
    const struct ca_hint_shape shape = {50, 16, 8};
    struct ca_err err = {0};
    struct ca_hint *a, *b;
    const ca_real *p;
    double sum = 0, square = 0, most = 0;
    size_t n;

    must(ca_hint_new(&a, &shape, 5, &ca_adam_default, pool, &err), &err);
    must(ca_hint_new(&b, &shape, 6, &ca_adam_default, pool, &err), &err);
    p = ca_hint_state(a, CA_STATE_WEIGHT);
    n = ca_hint_count(a);
    OK(n == 50 * 16 * 8, "as many weights as fields x dT x dS");
    for (size_t k = 0; k < n; k++) {
        sum += (double)p[k];
        square += (double)p[k] * (double)p[k];
        most = fmax(most, fabs((double)p[k]));
    }
    OK(most <= 0.25 && most > 0.249, "maps start within 1/sqrt(dS)");
    CLOSE(sum / (double)n, 0, 0.008, "about 0");
    CLOSE(square / (double)n, 0.0625 / 3, 0.001, "with a uniform's variance");
    OK(p[0] != p[16 * 8], "every field has its own");
    OK(p[0] != ca_hint_state(b, CA_STATE_WEIGHT)[0], "and every seed");
    ca_hint_free(a);
    ca_hint_free(b);
}

/* The same bits for any number of threads, and after going on from stored state. */
static void check_bits(void)
{
    enum { N = 1000, F = 7, DS = 16, DT = 8 };
    const struct ca_hint_shape shape = {F, DS, DT};
    static ca_real s[N * F * DS], t[N * F * DT], ds[3][N * F * DS];
    struct ca_err err = {0};
    struct ca_pool *pool[3];
    struct ca_hint *h[3];
    double loss[3] = {0};

    matrix(40, N, F * DS, F * DS, s);
    matrix(41, N, F * DT, F * DT, t);
    for (unsigned i = 0; i < 3; i++) {
        pool[i] = ca_pool_new(i == 1 ? 3 : 1, &err);
        must(!pool[i], &err);
        must(ca_hint_new(&h[i], &shape, 1, &ca_adam_default, pool[i], &err), &err);
        for (int step = 0; step < 6; step++) {
            if (i == 2 && step == 3) {
                struct ca_hint *next;
                must(ca_hint_new(&next, &shape, 2, &ca_adam_default, pool[i], &err), &err);
                for (int k = 0; k < 3; k++)
                    memcpy(ca_hint_state(next, (enum ca_state)k), ca_hint_state(h[i], (enum ca_state)k),
                           ca_hint_count(next) * sizeof(ca_real));
                ca_hint_set_steps(next, ca_hint_steps(h[i]));
                ca_hint_free(h[i]);
                h[i] = next;
            }
            must(ca_hint_map(h[i], N, s, F * DS, &err), &err);
            loss[i] = ca_hint_loss(h[i], 1, t, F * DT);
            ca_hint_backward(h[i], s, F * DS, ds[i], F * DS);
            must(ca_hint_step(h[i], &err), &err);
        }
    }
    for (unsigned i = 1; i < 3; i++) {
        OK(loss[0] == loss[i] && !memcmp(ds[0], ds[i], sizeof ds[0]), i == 1 ? "threads change no bit"
                                                                             : "nor does going on from stored state");
        OK(!memcmp(ca_hint_state(h[0], CA_STATE_WEIGHT), ca_hint_state(h[i], CA_STATE_WEIGHT),
                   ca_hint_count(h[0]) * sizeof(ca_real)),
           "of the maps too");
    }
    for (unsigned i = 0; i < 3; i++) {
        ca_hint_free(h[i]);
        ca_pool_free(pool[i]);
    }
}

int main(void)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(1, &err);

    must(!pool, &err);
    check_embed_losses();
    check_draws();
    check_few_rows();
    check_start(pool);
    check_bits();
    ca_pool_free(pool);
    return tap_done();
}
