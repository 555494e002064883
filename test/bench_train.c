/*
 * Speed of training and prediction, Criteo's shape: rows a second by network
 * and number of threads. Ids are log-uniform, a fresh batch for every step;
 * the first steps, whose rests are summed plainly, are not timed.
 * Usage: bench_train [mlp|fibinet|all] [steps [warm-up [threads]]]
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "nn/blas.h"
#include "unit/netkit.h"

#define BATCH 4096

/* Rows of C1 to C26 in the authors' log. */
static const uint32_t rows[26] = {1458, 555, 193948, 138800, 306, 18, 11970, 634, 4, 42646, 5178, 192772, 3175,
                                  27, 11422, 181074, 11, 4654, 2031, 4, 189656, 17, 16, 59696, 85, 45570};

static double seconds(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/*
 * Time by the wall and of all processors together: on a busy machine the
 * second is the one to believe, and of it the best step.
 */
struct spent {
    double wall, cpu, best, from;
};

static void begin(struct spent *s)
{
    s->wall -= seconds(CLOCK_MONOTONIC);
    s->from = seconds(CLOCK_PROCESS_CPUTIME_ID);
}

static void end(struct spent *s)
{
    s->wall += seconds(CLOCK_MONOTONIC);
    s->from = seconds(CLOCK_PROCESS_CPUTIME_ID) - s->from;
    s->cpu += s->from;
    s->best = s->best > 0 && s->best < s->from ? s->best : s->from;
}

static void bench(const char *name, kit_build *build, const struct kit_shape *s, unsigned threads, size_t steps,
                  size_t warm)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(threads, &err);
    struct ca_net *n;
    struct spent born = {0}, train = {0}, predict = {0}, settle = {0};
    double sum = 0, all = (double)(BATCH * steps);
    static float logit[BATCH];

    kit_must(!pool, &err);
    begin(&born);
    n = kit_net(build, s, pool, 1, 0);
    end(&born);
    for (size_t i = 0; i < warm + steps; i++) {
        struct kit_batch b = kit_batch(s, BATCH, i, 0);

        if (i == warm)
            train = (struct spent){0};
        begin(&train);
        kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, &err), &err);
        kit_must(ca_net_step(n, CA_STEP_ALL, &err), &err);
        end(&train);
        kit_batch_free(&b, s);
    }
    begin(&settle);
    kit_must(ca_net_settle(n, &err), &err);
    end(&settle);
    for (size_t i = 0; i < steps; i++) {
        struct kit_batch b = kit_batch(s, BATCH, i, 0);

        begin(&predict);
        kit_must(ca_net_forward(n, &b.feed, logit, &err), &err);
        end(&predict);
        kit_batch_free(&b, s);
    }
    (void)printf("%s\t%u\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.6f\n", name, threads, all / train.wall,
                 all / train.cpu, BATCH / train.best, all / predict.wall, all / predict.cpu, BATCH / predict.best, born.cpu * 1e3, settle.cpu * 1e3, sum / BATCH);
    (void)fflush(stdout);
    ca_net_free(n);
    ca_pool_free(pool);
}

int main(int argc, char **argv)
{
    static const struct kit_shape mlp = {13, 26, 8, rows, {64, 32, 4}, 3}, fibinet = {13, 26, 16, rows, {256, 128, 16}, 3};
    const char *which = argc > 1 ? argv[1] : "all";
    size_t steps = argc > 2 ? strtoul(argv[2], NULL, 10) : 0, warm = argc > 3 ? strtoul(argv[3], NULL, 10) : 150;
    unsigned only = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 0;

    (void)printf("# %s\n", ca_blas_engine());
    (void)printf("network\tthreads\ttrain_rows_per_s\tper_cpu_s\tbest_per_cpu_s\t"
                 "predict_rows_per_s\tper_cpu_s\tbest_per_cpu_s\tnew_cpu_ms\tsettle_cpu_ms\tlast_loss\n");
    for (unsigned threads = only ? only : 1; threads <= (only ? only : 2); threads++) {
        if (strcmp(which, "fibinet"))
            bench("mlp", kit_mlp, &mlp, threads, steps ? steps : 200, warm);
        if (strcmp(which, "mlp"))
            bench("fibinet", kit_fibinet, &fibinet, threads, steps ? steps : 6, warm > 2 && argc < 4 ? 2 : warm);
    }
    return 0;
}
