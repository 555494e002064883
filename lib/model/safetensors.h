/*
 * The safetensors format, and nothing of what the tensors mean: an 8-byte
 * little-endian header length, a JSON header, raw little-endian tensors
 * without gaps. Ours start at a multiple of 64 bytes and carry checksums in
 * the metadata ("xxh3.header", "xxh3.NAME"), so one flipped byte anywhere is
 * found; a file without them (from PyTorch) is read as it is.
 */
#ifndef CA_MODEL_SAFETENSORS_H
#define CA_MODEL_SAFETENSORS_H

#include <jansson.h>

#include "base/in.h"
#include "base/out.h"
#include "base/pool.h"

#define CA_ST_MAX_HEADER ((uint64_t)100 * 1000 * 1000) /* as the reference implementation */
#define CA_ST_MAX_TENSORS ((size_t)1 << 16)
#define CA_ST_MAX_DIMS 8

/* The spelling in files is ca_st_dtype_name's. */
enum ca_st_dtype { CA_ST_F32, CA_ST_U8, CA_ST_F64, CA_ST_F16, CA_ST_BF16, CA_ST_I64, CA_ST_I32, CA_ST_I16, CA_ST_I8,
                   CA_ST_BOOL, CA_ST_U64, CA_ST_U32, CA_ST_U16, CA_ST_N_DTYPES };

struct ca_st_tensor {
    const char *name;
    enum ca_st_dtype dtype;
    unsigned n_dims;
    uint64_t dim[CA_ST_MAX_DIMS];
    uint64_t bytes;  /* filled in by the reader and by ca_st_write */
    uint64_t offset; /* from the end of the header; likewise */
};

const char *ca_st_dtype_name(enum ca_st_dtype t);
size_t ca_st_dtype_size(enum ca_st_dtype t);

/* ---- reading ---- */

struct ca_st;

/*
 * path "-" is standard input; a terminal is refused with CA_EUSAGE unless
 * force. Reads and checks the header; of a regular file also that its size is
 * what the header says.
 */
int ca_st_open(struct ca_st **st, const char *path, int force, struct ca_err *err) CA_CHECK_ME;

size_t ca_st_count(const struct ca_st *st);
const struct ca_st_tensor *ca_st_tensor(const struct ca_st *st, size_t i); /* in file order */
const struct ca_st_tensor *ca_st_find(const struct ca_st *st, const char *name); /* or NULL */
const json_t *ca_st_metadata(const struct ca_st *st); /* object of strings, without the checksums; borrowed */
const char *ca_st_name(const struct ca_st *st);

/*
 * Tensors are read in file order, each either in pieces until its bytes are
 * used up, or skipped. The last piece checks the checksum; a tensor skipped in
 * a regular file is not read at all.
 */
int ca_st_read(struct ca_st *st, size_t i, void *buf, size_t n, struct ca_err *err) CA_CHECK_ME;
int ca_st_skip(struct ca_st *st, size_t i, struct ca_err *err) CA_CHECK_ME;

/* After the last tensor: CA_ETRAILING unless the input ends here. */
int ca_st_end(struct ca_st *st, struct ca_err *err) CA_CHECK_ME;
void ca_st_close(struct ca_st *st); /* NULL is accepted */

/* ---- writing ---- */

struct ca_st_sink;

/* Give the bytes of a tensor, all of them, in any pieces. Called twice for each: for the checksum and to write. */
typedef int ca_st_source(void *arg, size_t tensor, struct ca_st_sink *sink, struct ca_err *err);
int ca_st_put(struct ca_st_sink *sink, const void *data, size_t n, struct ca_err *err) CA_CHECK_ME;

/*
 * Tensors in the order given. metadata: object of strings, borrowed. With a
 * pool, checksums are made in it, source being asked for several tensors at a time. pool may be NULL.
 */
int ca_st_write(struct ca_out *out, struct ca_st_tensor *tensors, size_t n, const json_t *metadata,
                ca_st_source *source, void *arg, struct ca_pool *pool, struct ca_err *err) CA_CHECK_ME;

#endif
