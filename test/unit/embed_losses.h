/*
 * The losses on embeddings against PyTorch (test/oracle/embed_losses.py, whose
 * numbers are in test/golden/embed_losses.tsv). Compiled against the library
 * (test_embed_losses.c) and against its double twin (grad_embed_losses.c), where
 * the agreement is to ten digits and finite differences are taken as well.
 */
#ifndef CA_TEST_EMBED_LOSSES_H
#define CA_TEST_EMBED_LOSSES_H

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tap.h"
#include "transfer/hint.h"
#include "transfer/rkd.h"

#ifdef CA_DOUBLE
#define TOL 1e-10
#define TOL_TRAINED 1e-9
#else
#define TOL 2e-6
#define TOL_TRAINED 1e-4
#endif

#define FIELDS 3
#define ROWS 24
#define STUDENT 4
#define TEACHER 2
#define IDS 9
#define DRAWS 60
#define STEPS 20
#define WIDE (FIELDS * STUDENT)
#define NARROW (FIELDS * TEACHER)
#define MAPS (FIELDS * TEACHER * STUDENT)
#define GAP 3 /* elements between rows, to see that leading dimensions are obeyed */

/* splitmix64 of counter i of a lane, the upper 24 bits: as the oracle does. */
static uint64_t draw(uint64_t lane, uint64_t i)
{
    uint64_t z = ((lane << 32) + i + 1) * 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return z >> 40;
}

static void matrix(uint64_t lane, size_t rows, size_t width, size_t ld, ca_real *out)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < width; k++)
            out[r * ld + k] = (ca_real)(((double)draw(lane, r * width + k) / 4194304.0 - 2.0) * (r ? 1 : 8));
}

static void must(int code, const struct ca_err *err)
{
    if (!code)
        return;
    (void)printf("Bail out! %s\n", err->text);
    exit(70);
}

/* The elements of one line of the golden file; how many there are is checked. */
static void golden(const char *name, const char *quantity, double *out, size_t n)
{
    static char line[1 << 16];
    FILE *f = fopen("test/golden/embed_losses.tsv", "r");
    char head[64];
    size_t got = 0;

    (void)snprintf(head, sizeof head, "%s\t%s\t", name, quantity);
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, head, strlen(head))) {
            for (char *p = line + strlen(head), *end; got < n; p = end, got++) {
                out[got] = strtod(p, &end);
                if (end == p)
                    break;
            }
            break;
        }
    if (f)
        (void)fclose(f);
    if (got < n) {
        (void)printf("Bail out! %s %s has %zu numbers, not %zu\n", name, quantity, got, n);
        exit(70);
    }
}

/* Greatest difference, in shares of the greatest element. */
static void same(const char *name, const char *quantity, const ca_real *got, size_t rows, size_t width, size_t ld,
                 double tol)
{
    double want[ROWS * WIDE], worst = 0, size = 0;
    char what[100];

    golden(name, quantity, want, rows * width);
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < width; k++) {
            size = fmax(size, fabs(want[r * width + k]));
            worst = fmax(worst, fabs((double)got[r * ld + k] - want[r * width + k]));
        }
    (void)snprintf(what, sizeof what, "%s: %s is PyTorch's", name, quantity);
    CLOSE(worst / size, 0, tol, what);
}

static void same_loss(const char *name, double got)
{
    double want;
    char what[100];

    golden(name, "loss", &want, 1);
    (void)snprintf(what, sizeof what, "%s: the loss is PyTorch's", name);
    CLOSE(got / want, 1, TOL, what);
}

/* One of everything: what a test changes it gives back. */
struct set {
    ca_real s[ROWS * (WIDE + GAP)], ds[ROWS * (WIDE + GAP)], t[ROWS * (NARROW + GAP)];
    struct ca_hint *hint;
    struct ca_rkd rkd;
};

static void pick_draws(struct ca_rkd *r)
{
    r->n_pairs = r->n_triplets = 0;
    for (uint64_t q = 0; q < DRAWS; q++) {
        uint32_t *p = r->pair[r->n_pairs], *t = r->triplet[r->n_triplets];
        for (uint64_t k = 0; k < 2; k++)
            p[k] = (uint32_t)(draw(20, 2 * q + k) % ROWS);
        for (uint64_t k = 0; k < 3; k++)
            t[k] = (uint32_t)(draw(21, 3 * q + k) % ROWS);
        r->n_pairs += p[0] != p[1];
        r->n_triplets += t[0] != t[1] && t[0] != t[2] && t[1] != t[2];
    }
}

static void set_init(struct set *x, struct ca_pool *pool)
{
    const struct ca_hint_shape shape = {FIELDS, STUDENT, TEACHER};
    struct ca_err err = {0};
    ca_real *p;

    memset(x, 0, sizeof *x);
    matrix(0, ROWS, WIDE, WIDE + GAP, x->s);
    matrix(1, ROWS, NARROW, NARROW + GAP, x->t);
    must(ca_hint_new(&x->hint, &shape, 1, &ca_adam_default, pool, &err), &err);
    p = ca_hint_state(x->hint, CA_STATE_WEIGHT);
    for (uint64_t f = 0; f < FIELDS; f++)
        matrix(10 + f, TEACHER, STUDENT, STUDENT, p + f * TEACHER * STUDENT);
    for (size_t k = 0; k < MAPS; k++)
        p[k] /= 4;
    ca_rkd_init(&x->rkd, 1);
    pick_draws(&x->rkd);
}

static void forget(struct set *x)
{
    memset(x->ds, 0, sizeof x->ds);
    memset(ca_hint_state(x->hint, CA_STATE_GRADIENT), 0, MAPS * sizeof(ca_real));
}

/* Loss and gradients: of the hint, of relations between student and teacher, of the hint and relations through it. */
static double hint_loss(struct set *x)
{
    struct ca_err err = {0};
    double loss;

    must(ca_hint_map(x->hint, ROWS, x->s, WIDE + GAP, &err), &err);
    loss = ca_hint_loss(x->hint, 0.7, x->t, NARROW + GAP);
    ca_hint_backward(x->hint, x->s, WIDE + GAP, x->ds, WIDE + GAP);
    return loss;
}

static double native_loss(struct set *x)
{
    const struct ca_rkd_rows s = {x->s, WIDE + GAP, WIDE}, t = {x->t, NARROW + GAP, NARROW};

    return ca_rkd_loss(&x->rkd, 1.5, &s, &t, x->ds, WIDE + GAP);
}

static double project_loss(struct set *x)
{
    struct ca_rkd_rows u = {.ld = NARROW, .width = NARROW}, t = {x->t, NARROW + GAP, NARROW};
    struct ca_err err = {0};
    double loss;

    must(ca_hint_map(x->hint, ROWS, x->s, WIDE + GAP, &err), &err);
    u.at = ca_hint_mapped(x->hint);
    loss = ca_hint_loss(x->hint, 0.7, x->t, NARROW + GAP);
    loss += ca_rkd_loss(&x->rkd, 1.5, &u, &t, ca_hint_mapped_gradient(x->hint), NARROW);
    ca_hint_backward(x->hint, x->s, WIDE + GAP, x->ds, WIDE + GAP);
    return loss;
}

static void check_gaps(const struct set *x, const char *what)
{
    int clean = 1;

    for (size_t r = 0; r < ROWS; r++)
        for (size_t k = 0; k < GAP; k++)
            clean &= x->ds[r * (WIDE + GAP) + WIDE + k] == 0;
    OK(clean, what);
}

static void check_torch(struct set *x)
{
    struct ca_err err = {0};

    forget(x);
    same_loss("hint", hint_loss(x));
    same("hint", "ds", x->ds, ROWS, WIDE, WIDE + GAP, TOL);
    same("hint", "dp", ca_hint_state(x->hint, CA_STATE_GRADIENT), 1, MAPS, MAPS, TOL);
    check_gaps(x, "hint: nothing is written between rows");
    forget(x);
    same_loss("native", native_loss(x));
    same("native", "ds", x->ds, ROWS, WIDE, WIDE + GAP, TOL);
    check_gaps(x, "native: nothing is written between rows");
    forget(x);
    same_loss("project", project_loss(x));
    same("project", "ds", x->ds, ROWS, WIDE, WIDE + GAP, TOL);
    same("project", "dp", ca_hint_state(x->hint, CA_STATE_GRADIENT), 1, MAPS, MAPS, TOL);

    forget(x);
    for (int i = 0; i < STEPS; i++) {
        must(ca_hint_map(x->hint, ROWS, x->s, WIDE + GAP, &err), &err);
        (void)ca_hint_loss(x->hint, 1, x->t, NARROW + GAP);
        ca_hint_backward(x->hint, x->s, WIDE + GAP, x->ds, WIDE + GAP);
        must(ca_hint_step(x->hint, &err), &err);
    }
    OK(ca_hint_steps(x->hint) == STEPS, "hint: steps are counted");
    same("hint", "trained", ca_hint_state(x->hint, CA_STATE_WEIGHT), 1, MAPS, MAPS, TOL_TRAINED);
}

/* Rows of equal ids: the table's gradient, which adds them up, is PyTorch's. */
static void check_repeated(struct set *x)
{
    ca_real table[IDS * WIDE], other[IDS * NARROW], dtable[IDS * WIDE] = {0};
    double loss;

    matrix(0, IDS, WIDE, WIDE, table);
    matrix(1, IDS, NARROW, NARROW, other);
    for (size_t r = 0; r < ROWS; r++) {
        size_t id = (size_t)(draw(30, r) % IDS);
        memcpy(x->s + r * (WIDE + GAP), table + id * WIDE, WIDE * sizeof(ca_real));
        memcpy(x->t + r * (NARROW + GAP), other + id * NARROW, NARROW * sizeof(ca_real));
    }
    forget(x);
    loss = native_loss(x);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t k = 0; k < WIDE; k++)
            dtable[(size_t)(draw(30, r) % IDS) * WIDE + k] += x->ds[r * (WIDE + GAP) + k];
    same_loss("repeated", loss);
    same("repeated", "ds", dtable, IDS, WIDE, WIDE, TOL);

    for (size_t r = 0; r < ROWS; r++)
        for (size_t k = 0; k < WIDE; k++)
            x->s[r * (WIDE + GAP) + k] = 1;
    matrix(1, ROWS, NARROW, NARROW + GAP, x->t);
    forget(x);
    same_loss("same", native_loss(x) / 1.5);
    loss = 0;
    for (size_t i = 0; i < ROWS * (WIDE + GAP); i++)
        loss += fabs((double)x->ds[i]);
    OK(loss == 0, "same: rows that are all alike have no gradient");
}

static void check_embed_losses(void)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(2, &err);
    static struct set x;

    must(!pool, &err);
    set_init(&x, pool);
    check_torch(&x);
    check_repeated(&x);
    ca_hint_free(x.hint);
    ca_pool_free(pool);
}

#endif
