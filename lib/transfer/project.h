/*
 * Embedding projection (CrossAdapt 3.1, stage 1A): the tables of a new model
 * are inherited from a trained one of another width, in one shot and without
 * gradients. Equal width: a copy. Wider: E_S = E_T W with W W^T = I, the first
 * rows of a random orthogonal matrix, which keeps all inner products of a
 * table. Narrower: the leading principal components of the table's rows.
 *
 * Where the table has fewer independent directions than the new width has
 * columns, the columns that are left are zero.
 */
#ifndef CA_TRANSFER_PROJECT_H
#define CA_TRANSFER_PROJECT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/pool.h"
#include "model/model.h"

enum ca_project_how {
    CA_PROJECT_NONE,   /* tables stay fresh: the ablation */
    CA_PROJECT_COPY,
    CA_PROJECT_EXPAND,
    CA_PROJECT_PCA
};

/* Own basis for every field (the published code), or one for all: then products across fields are kept as well. */
enum ca_project_scope { CA_PROJECT_PER_FIELD, CA_PROJECT_SHARED };

/*
 * What PCA does with the column mean. DROP: E_S = (E_T - mu) W, the published
 * code. KEEP: E_S = E_T W, the paper's algorithm 1; the first column without
 * variance, if there is one, takes what of the mean lies outside W.
 */
enum ca_project_mean { CA_PROJECT_DROP, CA_PROJECT_KEEP };

/*
 * The tables' Adam state. FRESH: zero, as the published code starts its
 * student. MAP: the first moment goes through W as the rows do (without any
 * mean), the second through the squares of W, exact for uncorrelated
 * gradients; the step count is taken over.
 */
enum ca_project_moments { CA_PROJECT_FRESH, CA_PROJECT_MAP };

struct ca_project_opts {
    int none;                  /* leave the tables fresh, and only report */
    enum ca_project_scope scope;
    enum ca_project_mean mean;
    enum ca_project_moments moments;
    uint64_t seed;             /* of the orthogonal matrices */
};

/*
 * What was done to one field's table and what it cost. A: the old table's rows
 * less their mean, B: the new one's, V rows. NaN where a number has no meaning.
 */
struct ca_project_field {
    const char *name;            /* of the model that was projected into */
    size_t rows, from, to;       /* table rows and both widths */
    enum ca_project_how how;
    double reconstruction_error; /* |E_T - (E_S W^T + mu)|_F / (|E_T|_F + 1e-12); mu only where it was dropped */
    double retained_variance;    /* sum of the kept eigenvalues over the sum of all */
    double gram_theory;          /* |A A^T - B B^T|_F^2 as V^2 sum of squares of the lost eigenvalues */
    double gram_measured;        /* the same from the tables themselves, by products no wider than the rows */
    double gram_relative;        /* sqrt(gram_measured) / |A A^T|_F */
    double inner_product;        /* |E_T E_T^T - E_S E_S^T|_F / |E_T E_T^T|_F: no mean taken off */
    double cross_field;          /* mean over the other fields g of
                                    |E_T E_Tg^T - E_S E_Sg^T|_F / |E_T E_Tg^T|_F; 0 without other fields */
};

/* Tables that `to` inherits from `from`: of the fields, and of the lists with tables of their own that both have. */
size_t ca_project_count(const struct ca_model *to, const struct ca_model *from);

/*
 * Fill the tables of the main embedding of `to` from that of `from`: the same
 * fields in the same order with the same rows (CA_ESCHEMA otherwise). Tables of
 * lists, which not every architecture reads, stay fresh where `from` has none.
 * field has ca_project_count entries. Where `to` has further tables, such
 * as those of a first-order term, each is a copy of the one in `from` of its
 * name and size, or stays fresh where there is none, or with opts->none. A row
 * of padding stays zero. MAP needs optimizer state in both and a `from` that has taken a step
 * (CA_ESCHEMA).
 */
int ca_project_tables(struct ca_model *to, struct ca_model *from, const struct ca_project_opts *opts,
                      struct ca_pool *pool, struct ca_project_field *field, struct ca_err *err) CA_CHECK_ME;

/* The least width at which every field (shared: all together) retains this share of its variance, in (0,1]. */
int ca_project_width(struct ca_model *from, enum ca_project_scope scope, double retain, struct ca_pool *pool,
                     size_t *width, struct ca_err *err) CA_CHECK_ME;

/* The report: a table with a header line and one line a field, or one JSON object a line. */
void ca_project_report_tsv(const struct ca_project_field *field, size_t n, struct ca_buf *out);
int ca_project_report_json(const struct ca_project_field *field, size_t n, struct ca_buf *out, struct ca_err *err)
    CA_CHECK_ME;

#endif
