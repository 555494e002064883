#include "transfer/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

#define MAX_SWEEPS 60

void ca_linalg_multiply(size_t m, size_t n, size_t k, const double *a, const double *b, double *c)
{
    for (size_t i = 0; i < m; i++) {
        double *row = c + i * n;

        memset(row, 0, n * sizeof *row);
        for (size_t l = 0; l < k; l++)
            for (size_t j = 0; j < n; j++)
                row[j] += a[i * k + l] * b[l * n + j];
    }
}

double ca_linalg_inner(size_t n, const double *a, const double *b)
{
    double s = 0;

    for (size_t i = 0; i < n; i++)
        s += a[i] * b[i];
    return s;
}

/* Rotate rows and columns p < q of a so that a[p,q] is gone, and the columns of v with them. */
static void rotate(size_t n, double *a, double *v, size_t p, size_t q)
{
    double apq = a[p * n + q], theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
    /* the smaller root; for a huge theta its square may overflow, and 1/inf is the right 0 */
    double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;

    for (size_t k = 0; k < n; k++) {
        double x = a[k * n + p], y = a[k * n + q];
        a[k * n + p] = c * x - s * y;
        a[k * n + q] = s * x + c * y;
    }
    for (size_t k = 0; k < n; k++) {
        double x = a[p * n + k], y = a[q * n + k];
        a[p * n + k] = c * x - s * y;
        a[q * n + k] = s * x + c * y;
    }
    a[p * n + q] = a[q * n + p] = 0;
    for (size_t k = 0; k < n; k++) {
        double x = v[k * n + p], y = v[k * n + q];
        v[k * n + p] = c * x - s * y;
        v[k * n + q] = s * x + c * y;
    }
}

/* Largest first, by selection: stable and n is small. Signs made unique. */
static void order(size_t n, double *value, double *v)
{
    for (size_t i = 0; i < n; i++) {
        size_t best = i, peak = 0;

        for (size_t j = i + 1; j < n; j++)
            if (value[j] > value[best])
                best = j;
        if (best != i) {
            double swap = value[i];
            value[i] = value[best];
            value[best] = swap;
            for (size_t k = 0; k < n; k++) {
                swap = v[k * n + i];
                v[k * n + i] = v[k * n + best];
                v[k * n + best] = swap;
            }
        }
        for (size_t k = 1; k < n; k++)
            if (fabs(v[k * n + i]) > fabs(v[peak * n + i]))
                peak = k;
        if (v[peak * n + i] < 0)
            for (size_t k = 0; k < n; k++)
                v[k * n + i] = -v[k * n + i];
    }
}

int ca_linalg_eigen(size_t n, double *a, double *value, double *vector, struct ca_err *err)
{
    double enough = DBL_EPSILON * sqrt(ca_linalg_inner(n * n, a, a)) / (double)(n ? 8 * n : 1);
    int settled = 0;

    if (!isfinite(enough))
        return ca_err_set(err, CA_ENUMERIC, "a matrix holds numbers that are not finite or too great");
    memset(vector, 0, n * n * sizeof *vector);
    for (size_t i = 0; i < n; i++)
        vector[i * n + i] = 1;
    for (int sweep = 0; sweep < MAX_SWEEPS && !settled; sweep++) {
        settled = 1;
        for (size_t p = 0; p < n; p++)
            for (size_t q = p + 1; q < n; q++) {
                /* what is left changes no eigenvalue by more than rounding does */
                if (fabs(a[p * n + q]) <= enough)
                    continue;
                rotate(n, a, vector, p, q);
                settled = 0;
            }
    }
    if (!settled)
        return ca_err_set(err, CA_ENUMERIC, "the eigenvalue rotations did not settle");
    for (size_t i = 0; i < n; i++)
        value[i] = a[i * n + i];
    order(n, value, vector);
    return 0;
}

int ca_linalg_orthogonal(size_t n, const struct ca_rng *rng, double *q, struct ca_err *err)
{
    double *r = ca_mem_alloc(n * n, sizeof *r, err);

    if (!r)
        return CA_EMEMORY;
    for (size_t i = 0; i < n * n; i++)
        r[i] = ca_rng_normal(rng, i);
    memset(q, 0, n * n * sizeof *q);
    for (size_t i = 0; i < n; i++)
        q[i * n + i] = 1;
    for (size_t k = 0; k < n; k++) {
        double norm = 0, head = r[k * n + k], vv;

        for (size_t i = k; i < n; i++)
            norm += r[i * n + k] * r[i * n + k];
        norm = sqrt(norm);
        if (!(norm > 0))
            continue;
        /* v = x + sign(x0) |x| e0, kept in column k; the sign that does not cancel */
        r[k * n + k] = head >= 0 ? head + norm : head - norm;
        vv = norm * norm + fabs(head) * norm; /* half of v.v */
        for (size_t j = k + 1; j < n; j++) {
            double d = 0;
            for (size_t i = k; i < n; i++)
                d += r[i * n + k] * r[i * n + j];
            d /= vv;
            for (size_t i = k; i < n; i++)
                r[i * n + j] -= d * r[i * n + k];
        }
        for (size_t j = 0; j < n; j++) { /* q = q H */
            double d = 0;
            for (size_t i = k; i < n; i++)
                d += q[j * n + i] * r[i * n + k];
            d /= vv;
            for (size_t i = k; i < n; i++)
                q[j * n + i] -= d * r[i * n + k];
        }
    }
    ca_mem_free(r);
    return 0;
}
