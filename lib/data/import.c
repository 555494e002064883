#include "data/import.h"

#include <stdio.h>
#include <string.h>

#include "base/in.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/out.h"
#include "base/pool.h"
#include "base/turns.h"
#include "cli/progress.h"
#include "data/encode.h"
#include "record/reader.h"

#include "base/banned.h"

/* Rows read together by one thread: few, so that text, fields and columns stay in the caches of its processor. */
#define BATCH_ROWS 128
#define PART_BYTES ((size_t)1 << 15)
#define PARTS 16          /* of the text at a time, for each of several threads */
#define COLUMNS_AT_ONCE 4 /* whose values are numbered by one thread before the next may */
#define MAX_VOCAB_BYTES CA_MAX_ATTACHMENT_BYTES

struct job {
    const struct ca_import *o;
    const struct ca_run *run;
    struct ca_import_counts *counts;
    struct ca_scan *scan;
    struct ca_vocab *vocab;
    struct ca_encoder *encoder;
    struct ca_pool *pool;
    struct ca_turns *turns;
    struct ca_out *reject;
    struct ca_head head;
    struct ca_writer *spool;
    struct ca_reader *spooled;
    struct ca_writer *writer;
    struct ca_writer *sink;    /* of the text: writer or spool */
    int64_t left;              /* rows still to be counted */
    int fault;                 /* of the first row or part that has one */
    struct ca_err err;
    const uint32_t **map; /* by column of the spool: new number by provisional one; NULL where there is no vocabulary */
    uint32_t **own; /* the same, where the vocabulary is the column's own */
    struct ca_progress progress;
};

/* ---- vocabulary and header ------------------------------------------------- */

static int load_vocab(struct job *j, struct ca_err *err)
{
    struct ca_in *in;
    char *text = NULL;
    size_t len = 0, cap = 0, got;
    int rc = ca_in_open(&in, j->o->vocab, err);

    if (rc)
        return rc;
    do {
        rc = ca_mem_grow((void **)&text, &cap, len + 65536, 1, err);
        if (!rc)
            rc = ca_in_read(in, text + len, cap - len, &got, err);
        if (rc)
            break;
        len += got;
        if (len > MAX_VOCAB_BYTES) {
            rc = ca_err_set(err, CA_EFORMAT, "a vocabulary of more than 4 GiB");
            (void)ca_err_at(err, j->o->vocab, -1, -1);
        }
    } while (!rc && len == cap);
    if (!rc)
        rc = ca_vocab_parse(&j->vocab, text, len, j->o->vocab, err);
    ca_mem_free(text);
    ca_in_close(in);
    return rc;
}

static int write_file(const char *path, const struct ca_buf *text, struct ca_err *err)
{
    struct ca_out *out;
    int rc = ca_out_open(&out, path, err);

    if (rc)
        return rc;
    if ((rc = ca_out_write(out, text->data, text->len, err))) {
        ca_out_abort(out);
        return rc;
    }
    return ca_out_close(out, err);
}

/* The keys that say what the columns were made with. */
static int make_keys(struct job *j, const struct ca_buf *vocab, struct ca_err *err)
{
    struct ca_digest *d = ca_digest_new(err);
    json_t *schema = json_object();
    char hex[CA_DIGEST_HEX];
    int rc;

    if (!d) {
        json_decref(schema);
        return CA_EMEMORY;
    }
    ca_digest_add(d, vocab->data, vocab->len);
    ca_digest_hex(d, hex);
    ca_digest_free(d);
    j->head.keys = json_object();
    if ((rc = ca_json_set(schema, "name", json_string(j->o->schema->name), err)) ||
        (rc = ca_json_set(schema, "digest", json_string(j->o->schema->digest), err))) {
        json_decref(schema);
        return rc;
    }
    if ((rc = ca_json_set(j->head.keys, "text_schema", schema, err)))
        return rc;
    return ca_json_set(j->head.keys, "vocabulary", json_string(hex), err);
}

/* Vocabulary to its file and into the header, then open the output. */
static int open_writer(struct job *j, struct ca_err *err)
{
    struct ca_buf text = {0};
    int rc;

    for (size_t c = 0; c < ca_vocab_columns(j->vocab); c++)
        j->counts->table_rows += ca_vocab_size(j->vocab, c);
    if (!(rc = ca_vocab_write(j->vocab, &text, err)) && text.len > MAX_VOCAB_BYTES)
        rc = ca_err_set(err, CA_EFORMAT, "a vocabulary of more than 4 GiB");
    if (!rc && j->o->vocab_out)
        rc = write_file(j->o->vocab_out, &text, err);
    if (!rc)
        rc = make_keys(j, &text, err);
    if (!rc)
        rc = ca_encoder_final_schema(j->encoder, &j->head.schema, err);
    if (!rc)
        rc = ca_head_attach(&j->head, CA_ATTACHMENT_VOCABULARY, text.data, text.len, err);
    ca_buf_fini(&text);
    if (!rc)
        rc = ca_writer_open(&j->writer, NULL, &j->head, &j->o->writer, j->run, err);
    return rc;
}

/* ---- malformed rows -------------------------------------------------------- */

/* Where a row stands, "clicks.tsv:17", for the place of an error. */
static void place(const struct ca_scan_batch *b, size_t row, struct ca_err *err)
{
    char where[sizeof err->file];

    (void)snprintf(where, sizeof where, "%.220s:%lld", b->file, (long long)b->row[row].line);
    (void)ca_err_at(err, where, -1, -1);
}

static int describe(const struct ca_scan_batch *b, const struct ca_bad_row *bad, struct ca_err *err)
{
    int shown = (int)(bad->value.n < 60 ? bad->value.n : 60);

    if (bad->expected)
        (void)ca_err_set(err, CA_EFORMAT, "%zu fields, expected %zu", bad->fields, bad->expected);
    else if (bad->column && bad->value.n)
        (void)ca_err_set(err, CA_EFORMAT, "%s '%.*s' in column '%s'", bad->fault, shown, bad->value.p, bad->column);
    else if (bad->column)
        (void)ca_err_set(err, CA_EFORMAT, "%s in column '%s'", bad->fault, bad->column);
    else if (bad->value.n)
        (void)ca_err_set(err, CA_EFORMAT, "%s: '%.*s'", bad->fault, shown, bad->value.p);
    else
        (void)ca_err_set(err, CA_EFORMAT, "%s", bad->fault);
    place(b, bad->row, err);
    return CA_EFORMAT;
}

static int handle_bad(struct job *j, const struct ca_scan_batch *b, const struct ca_encoded *e, struct ca_err *err)
{
    int rc = 0;

    for (size_t i = 0; i < e->n_bad && !rc; i++) {
        const struct ca_piece raw = b->row[e->bad[i].row].raw;

        if ((uint64_t)++j->counts->bad > j->o->skip_bad) {
            rc = describe(b, &e->bad[i], err);
            (void)ca_err_hint(err, j->o->skip_bad ? "that is one more than --skip-bad allows"
                                                  : "--skip-bad N leaves out up to N such rows");
            return rc;
        }
        if (ca_log_shows(CA_LOG_DEBUG)) {
            struct ca_err note = {0};
            char text[1024];
            (void)describe(b, &e->bad[i], &note);
            ca_log(CA_LOG_DEBUG, "left out: %s", ca_err_format(&note, text, sizeof text));
        }
        if (j->reject && !(rc = ca_out_write(j->reject, raw.p, raw.n, err)))
            rc = ca_out_write(j->reject, "\n", 1, err);
    }
    return rc;
}

/* ---- passes ---------------------------------------------------------------- */

/* What has been encoded of a part. */
static int put_part(struct job *j, const struct ca_scan_batch *b, unsigned worker, struct ca_err *err)
{
    struct ca_encoded e;
    int rc;

    ca_encoder_take(j->encoder, worker, &e);
    if ((rc = handle_bad(j, b, &e, err)) || (rc = ca_writer_put(j->sink, &e.block, 0, e.block.rows, err)))
        return rc;
    j->counts->rows += (int64_t)e.block.rows;
    j->counts->unlabelled += (int64_t)e.unlabelled;
    j->counts->backwards += (int64_t)e.backwards;
    return 0;
}

static void take_turn(struct job *j, size_t stage, size_t part)
{
    if (j->turns)
        ca_turns_take(j->turns, stage, part);
}

static void pass_turn(struct job *j, size_t stage)
{
    if (j->turns)
        ca_turns_pass(j->turns, stage);
}

/* Stages of a part that come in order of the text: is it sound; columns whose values are numbered; out with it. */
static size_t stages(const struct job *j)
{
    return 2 + (ca_encoder_schema(j->encoder)->n + COLUMNS_AT_ONCE - 1) / COLUMNS_AT_ONCE;
}

/* Number the values of a sound part; of another only the turns are taken and passed. */
static int number_part(struct job *j, size_t part, unsigned worker, int sound, size_t count, struct ca_err *err)
{
    size_t n = ca_encoder_schema(j->encoder)->n;
    int in_order = !j->o->vocab, rc = 0;

    for (size_t first = 0, stage = 1; first < n; first += COLUMNS_AT_ONCE, stage++) {
        if (in_order)
            take_turn(j, stage, part);
        for (size_t c = first; c < n && c < first + COLUMNS_AT_ONCE && sound && !rc; c++)
            rc = ca_encoder_number(j->encoder, worker, c, count, err);
        if (in_order)
            pass_turn(j, stage);
    }
    return rc;
}

/* A task of the pool: one part of the text, all the way from bytes to records. */
static void read_part(void *arg, size_t part, unsigned worker)
{
    struct job *j = arg;
    const struct ca_scan_batch *b = ca_scan_part(j->scan, part, worker);
    const size_t last = stages(j) - 1;
    struct ca_err err = {0};
    size_t good = 0, count = 0, header = j->o->schema->header && b->starts_file && b->rows;
    int sound, rc = header ? 0 : ca_encoder_check(j->encoder, worker, b, 0, &good, &err);

    take_turn(j, 0, part);
    sound = ca_scan_settle(j->scan, worker, &err);
    if (sound > 0 && header) { /* it is alone */
        rc = ca_encoder_header(j->encoder, b, &err);
        if (rc)
            place(b, 0, &err);
        sound = rc;
    } else if (sound > 0) {
        count = j->left < (int64_t)good ? (size_t)j->left : good;
        j->left -= (int64_t)count;
    } else {
        rc = sound;
    }
    pass_turn(j, 0);
    if (sound > 0 && !rc)
        rc = number_part(j, part, worker, 1, count, &err);
    else
        (void)number_part(j, part, worker, 0, 0, &err);
    take_turn(j, last, part);
    if (!rc && sound > 0 && !j->fault)
        rc = put_part(j, b, worker, &err);
    if (rc && !j->fault) {
        j->fault = rc;
        j->err = err;
    }
    pass_turn(j, last);
}

/* The text, into sink: the output itself or the spool. limit: rows to count at once, -1 when not yet known. */
static int read_text(struct job *j, struct ca_writer *sink, int64_t limit, struct ca_err *err)
{
    size_t threads = j->pool ? ca_pool_threads(j->pool) : 1, parts = 1, max_rows = BATCH_ROWS, n;
    int rc;

    if (threads > 1) {
        parts = PARTS * threads;
        max_rows = SIZE_MAX;
        if (!(j->turns = ca_turns_new(stages(j), err)))
            return CA_EMEMORY;
        if ((rc = ca_scan_room(j->scan, parts * PART_BYTES, threads, err)) ||
            (rc = ca_encoder_room(j->encoder, threads, err)))
            return rc;
    }
    j->sink = sink;
    j->left = limit < 0 ? 0 : limit;
    while ((rc = ca_scan_cut(j->scan, parts, PART_BYTES, max_rows, &n, err)) > 0) {
        if (j->turns)
            ca_turns_start(j->turns);
        if (n > 1)
            ca_pool_run(j->pool, n, read_part, j);
        else
            read_part(j, 0, 0);
        if (j->fault) {
            *err = j->err;
            return j->fault;
        }
        ca_progress_update(&j->progress, j->counts->rows, "reading text");
    }
    if (rc)
        return rc;
    if (!j->counts->rows) {
        rc = ca_err_set(err, CA_EFORMAT, "no rows in the text");
        (void)ca_err_hint(err, "text has no end mark: an empty one is taken for a producer that failed");
    }
    return rc;
}

/* Count the first limit rows of the spool. */
static int count_spool(struct job *j, int64_t limit, struct ca_err *err)
{
    struct ca_block b;
    int64_t done = 0;
    int rc = 0;

    while (done < limit && (rc = ca_reader_next(j->spooled, &b, err)) > 0) {
        size_t rows = limit - done < (int64_t)b.rows ? (size_t)(limit - done) : b.rows;
        for (size_t c = 0; c < b.schema->n; c++) {
            int v = ca_encoder_vocab(j->encoder, c);
            size_t n = b.col[c].start ? b.col[c].start[rows] : rows;
            if (v >= 0 && (rc = ca_vocab_tally(j->vocab, (size_t)v, ca_block_u32(&b, c), n, err)))
                return rc;
        }
        done += (int64_t)rows;
    }
    if (rc < 0)
        return rc;
    return ca_reader_seek(j->spooled, 0, err);
}

static uint64_t min_count(const struct job *j, const char *column)
{
    const struct ca_schema_file *s = j->o->schema;

    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->rule[i].name, column) && s->rule[i].min_count)
            return s->rule[i].min_count;
    return j->o->min_count ? j->o->min_count : s->min_count;
}

static int make_maps(struct job *j, struct ca_err *err)
{
    const struct ca_schema *s = ca_encoder_schema(j->encoder);
    int rc = 0;

    j->map = ca_mem_zalloc(s->n, sizeof *j->map, err);
    j->own = ca_mem_zalloc(s->n, sizeof *j->own, err);
    if (!j->map || !j->own)
        return CA_EMEMORY;
    for (size_t c = 0; c < s->n && !rc; c++) {
        int v = ca_encoder_vocab(j->encoder, c);
        if (v < 0 || strcmp(ca_vocab_name(j->vocab, (size_t)v), s->col[c].name) != 0)
            continue;
        if (j->o->schema->unknown > CA_UNKNOWN_ZERO)
            ca_vocab_part(j->vocab, (size_t)v);
        rc = ca_vocab_keep(j->vocab, (size_t)v, min_count(j, s->col[c].name), &j->own[c], err);
    }
    /* a vocabulary is cut down once, whoever shares it */
    for (size_t c = 0; c < s->n && !rc; c++) {
        int v = ca_encoder_vocab(j->encoder, c);
        if (v >= 0)
            j->map[c] = j->own[ca_schema_find(s, ca_vocab_name(j->vocab, (size_t)v))];
    }
    return rc;
}

/* The spool to the output, provisional numbers to final ones. */
static int write_spooled(struct job *j, struct ca_err *err)
{
    const struct ca_schema *s = &j->head.schema;
    struct ca_colview *view = ca_mem_zalloc(s->n, sizeof *view, err);
    uint32_t *ids = NULL;
    size_t cap = 0;
    int64_t done = 0;
    struct ca_block b;
    int rc = view ? 0 : CA_EMEMORY;

    while (!rc && (rc = ca_reader_next(j->spooled, &b, err)) > 0) {
        size_t need = 0, at = 0;

        for (size_t c = 0; c < s->n; c++)
            if (j->map[c])
                need += b.col[c].start ? b.col[c].start[b.rows] : b.rows;
        if ((rc = ca_mem_grow((void **)&ids, &cap, need + 1, sizeof *ids, err)))
            break;
        for (size_t c = 0; c < s->n; c++) {
            const uint32_t *map = j->map[c], *old = b.col[c].data;
            size_t n = b.col[c].start ? b.col[c].start[b.rows] : b.rows;
            uint32_t missing;

            view[c] = b.col[c];
            if (!map)
                continue;
            missing = ca_encoder_missing(j->encoder, c);
            for (size_t i = 0; i < n; i++)
                ids[at + i] = old[i] ? map[old[i]] : missing;
            view[c].data = ids + at;
            at += n;
        }
        struct ca_block out = {s, b.rows, b.first_row, view};
        rc = ca_writer_put(j->writer, &out, 0, b.rows, err);
        done += (int64_t)b.rows;
        ca_progress_update(&j->progress, done, "writing records");
    }
    ca_mem_free(view);
    ca_mem_free(ids);
    return rc;
}

static int import_with_vocab(struct job *j, struct ca_err *err)
{
    int rc = load_vocab(j, err);

    j->counts->counted = -1;
    if (!rc)
        rc = ca_encoder_new(&j->encoder, j->o->schema, j->vocab, 0, j->o->drop_unlabelled, err);
    if (rc == CA_ESCHEMA)
        (void)ca_err_at(err, j->o->vocab, -1, -1);
    if (!rc)
        rc = open_writer(j, err);
    return rc ? rc : read_text(j, j->writer, 0, err);
}

static int import_and_count(struct job *j, struct ca_err *err)
{
    const struct ca_import *o = j->o;
    int64_t limit = o->vocab_rows ? (int64_t)o->vocab_rows : o->scope == CA_SCOPE_ALL ? INT64_MAX : -1;
    struct ca_head provisional = {0};
    struct ca_writer *spool;
    int rc;

    if (!(j->vocab = ca_vocab_new(err)))
        return CA_EMEMORY;
    if ((rc = ca_encoder_new(&j->encoder, o->schema, j->vocab, 1, o->drop_unlabelled, err)))
        return rc;
    provisional.schema = *ca_encoder_schema(j->encoder); /* lent: the spool copies it */
    if ((rc = ca_writer_spool(&j->spool, &provisional, err)) ||
        (rc = ca_writer_behind(j->spool, j->run->common.threads, err)) || (rc = read_text(j, j->spool, limit, err)))
        return rc;
    spool = j->spool;
    j->spool = NULL;
    if ((rc = ca_writer_spooled(spool, &j->spooled, err)))
        return rc;
    ca_reader_ahead(j->spooled, j->run->common.threads);
    if (limit < 0) {
        int64_t size[CA_SPLIT_MAX_PARTS];
        if ((rc = ca_split_sizes(&o->schema->ratios, j->counts->rows, size, err)))
            return rc;
        limit = size[0] + size[1];
        if ((rc = ca_reader_index(j->spooled, err)) || (rc = count_spool(j, limit, err)))
            return rc;
    }
    j->counts->counted = limit < j->counts->rows ? limit : j->counts->rows;
    if ((rc = make_maps(j, err)) || (rc = open_writer(j, err)))
        return rc;
    return write_spooled(j, err);
}

static int open_text(struct job *j, struct ca_err *err)
{
    const struct ca_schema_file *s = j->o->schema;
    int tokens = s->format == CA_TEXT_LIBSVM || s->format == CA_TEXT_LIBFFM;
    struct ca_scan_rule rule = {s->delimiter, s->quotes, tokens};
    struct ca_source *source;
    int rc = ca_source_open(&source, j->run->operands, j->run->n_operands, j->run->common.force, err);

    if (!rc)
        ca_source_ahead(source, j->run->common.threads);
    return rc ? rc : ca_scan_open(&j->scan, source, &rule, err);
}

/* End of the output: what it was made from, then the file appears. */
static int finish(struct job *j, struct ca_err *err)
{
    const struct ca_source *source = ca_scan_source(j->scan);
    struct ca_writer *w = j->writer;
    struct ca_out *reject = j->reject;
    int rc = 0;

    for (size_t i = 0; i < ca_source_done(source) && !rc; i++)
        rc = ca_writer_input(w, "text", ca_source_digest(source, i), err);
    if (rc)
        return rc;
    j->reject = NULL;
    if (reject && (rc = ca_out_close(reject, err)))
        return rc;
    j->writer = NULL;
    return ca_writer_close(w, err);
}

int ca_import_run(const struct ca_import *o, const struct ca_run *run, struct ca_import_counts *counts,
                  struct ca_err *err)
{
    struct job j = {.o = o, .run = run, .counts = counts};
    size_t n_map = 0;
    int rc;

    *counts = (struct ca_import_counts){0};
    ca_progress_start(&j.progress, run, "rows", 0);
    rc = open_text(&j, err);
    if (!rc && o->reject)
        rc = ca_out_open(&j.reject, o->reject, err);
    if (!rc && run->common.threads != 1 && !(j.pool = ca_pool_new((unsigned)run->common.threads, err)))
        rc = err->code;
    if (!rc)
        rc = o->vocab ? import_with_vocab(&j, err) : import_and_count(&j, err);
    if (!rc)
        rc = finish(&j, err);
    ca_progress_end(&j.progress);
    if (j.own)
        n_map = ca_encoder_schema(j.encoder)->n;
    for (size_t c = 0; c < n_map; c++)
        ca_mem_free(j.own[c]);
    ca_mem_free(j.own);
    ca_mem_free(j.map);
    ca_writer_abort(j.writer);
    ca_writer_abort(j.spool);
    ca_reader_close(j.spooled);
    ca_out_abort(j.reject);
    ca_scan_close(j.scan);
    ca_encoder_free(j.encoder);
    ca_vocab_free(j.vocab);
    ca_turns_free(j.turns);
    ca_pool_free(j.pool);
    ca_head_fini(&j.head);
    return rc;
}
