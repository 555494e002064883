/*
 * Which rows of a log of exposures a model of what follows a click is trained
 * on (CrossAdapt section 3.1.3, eq 9): clicked rows, whose label is known, all
 * of them or a sample as data/sample.h draws it; and beside these, unclicked
 * ones, drawn uniformly, whose label a teacher has to guess. The stream comes
 * in chunks, each drawn from by itself. As there, reading and writing rows is
 * the caller's business.
 */
#ifndef CA_DATA_CLICKS_H
#define CA_DATA_CLICKS_H

#include "data/sample.h"

struct ca_clicks_opts {
    struct ca_sample_opts sample; /* of the clicked rows */
    int all;                      /* every clicked row instead, in order; of sample only seed and phase count */
    double unclicked;             /* unclicked rows for each clicked one that is taken */
};

struct ca_clicks;

int ca_clicks_new(struct ca_clicks **c, const struct ca_clicks_opts *opts, struct ca_err *err) CA_CHECK_ME;

/* Does the method look at labels? Then label must not be NULL below. */
int ca_clicks_needs_label(const struct ca_clicks *c);

/*
 * Take from the next chunk: rows rows (below 2^31), clicked where click is
 * above one half. The unclicked rows, drawn with replacement, bring their
 * number to (int64_t)(unclicked * the clicked ones taken so far); what a chunk
 * without any owes, the next chunks pay. Rows come in a random order, or with
 * all in that of the stream. The weights of a sample are those of data/sample.h
 * over the clicked rows, and over the unclicked ones ratio (1 with all)
 * divided by the number of times a row was expected.
 */
int ca_clicks_draw(struct ca_clicks *c, const float *click, const float *label, size_t rows, struct ca_sample *out,
                   struct ca_err *err) CA_CHECK_ME;

/* Chunks whose clicked rows were drawn from uniformly for want of a class; unclicked rows that are still owed. */
int64_t ca_clicks_fallbacks(const struct ca_clicks *c);
int64_t ca_clicks_owed(const struct ca_clicks *c);

void ca_clicks_free(struct ca_clicks *c); /* NULL is accepted */

#endif
