/* Eigenvectors and orthogonal matrices against what they must satisfy. */
#include <float.h>

#include "base/mem.h"
#include "tap.h"
#include "transfer/linalg.h"

#define MAX 64

static double worst_orthogonality(size_t n, const double *q)
{
    double worst = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            double rows = 0;
            for (size_t k = 0; k < n; k++)
                rows += q[i * n + k] * q[j * n + k];
            worst = fmax(worst, fabs(rows - (i == j)));
        }
    return worst;
}

static void check_known(void)
{
    double a[4] = {2, 1, 1, 2}, value[3], vector[9];
    double b[9] = {2, -1, 0, -1, 2, -1, 0, -1, 2};
    double zero[9] = {0}, bad[1] = {(double)NAN};
    struct ca_err err = {0};

    OK(!ca_linalg_eigen(2, a, value, vector, &err), "a 2 x 2 matrix");
    CLOSE(value[0], 3, 1e-15, "greatest eigenvalue first");
    CLOSE(value[1], 1, 1e-15, "least last");
    CLOSE(vector[0], sqrt(0.5), 1e-15, "its vector, the greatest entry positive");
    CLOSE(vector[2], sqrt(0.5), 1e-15, "in a column");
    OK(!ca_linalg_eigen(3, b, value, vector, &err), "the second difference");
    CLOSE(value[0], 2 + sqrt(2), 1e-14, "2 + sqrt 2");
    CLOSE(value[1], 2, 1e-14, "2");
    CLOSE(value[2], 2 - sqrt(2), 1e-14, "2 - sqrt 2");
    OK(!ca_linalg_eigen(3, zero, value, vector, &err) && value[0] == 0 && worst_orthogonality(3, vector) == 0,
       "of zero: zero and the identity");
    OK(ca_linalg_eigen(1, bad, value, vector, &err) == CA_ENUMERIC, "not a number is refused");
}

/* Hilbert matrices are as near to singular as it gets; rank one has all but one eigenvalue null. */
static void check_hard(size_t n, int rank_one)
{
    static double a[MAX * MAX], keep[MAX * MAX], value[MAX], vector[MAX * MAX];
    struct ca_err err = {0};
    double worst = 0, trace = 0, sum = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            keep[i * n + j] = a[i * n + j] = rank_one ? (double)((i + 1) * (j + 1)) : 1.0 / (double)(i + j + 1);
    OK(!ca_linalg_eigen(n, a, value, vector, &err), rank_one ? "rank one" : "a Hilbert matrix");
    CLOSE(worst_orthogonality(n, vector), 0, 1e-13, "eigenvectors are orthogonal");
    for (size_t i = 0; i < n; i++) {
        trace += keep[i * n + i];
        sum += value[i];
        for (size_t k = 0; k < n; k++) {
            double av = 0;
            for (size_t j = 0; j < n; j++)
                av += keep[i * n + j] * vector[j * n + k];
            worst = fmax(worst, fabs(av - value[k] * vector[i * n + k]));
        }
    }
    CLOSE(worst / value[0], 0, 1e-14, "A v = lambda v");
    CLOSE(sum / trace, 1, 1e-14, "eigenvalues add up to the trace");
    if (rank_one)
        CLOSE(value[1] / value[0], 0, 1e-14, "the second eigenvalue is null");
}

static void check_orthogonal(void)
{
    static double q[MAX * MAX], again[MAX * MAX];
    struct ca_rng one = ca_rng_make(1, "test"), two = ca_rng_make(2, "test");
    struct ca_err err = {0};
    double mean = 0;

    OK(!ca_linalg_orthogonal(MAX, &one, q, &err), "a random orthogonal matrix");
    CLOSE(worst_orthogonality(MAX, q), 0, 1e-13, "is orthogonal");
    OK(!ca_linalg_orthogonal(MAX, &one, again, &err) && !memcmp(q, again, sizeof q), "the same seed, the same bits");
    OK(!ca_linalg_orthogonal(MAX, &two, again, &err) && memcmp(q, again, sizeof q), "another seed, another matrix");
    for (size_t i = 0; i < MAX; i++)
        mean += q[i * MAX] * q[i * MAX] * q[i * MAX] * q[i * MAX];
    OK(mean > 0.01 && mean < 0.12, "its columns are spread over all coordinates");
    OK(!ca_linalg_orthogonal(1, &one, q, &err) && fabs(fabs(q[0]) - 1) < 1e-15, "of one dimension: a sign");
}

int main(void)
{
    check_known();
    check_hard(12, 0);
    check_hard(MAX, 0);
    check_hard(MAX, 1);
    check_orthogonal();
    return tap_done();
}
