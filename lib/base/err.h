/*
 * Errors as values. A library call returns 0 (or a count) or a negative code
 * and describes the fault in a caller-supplied struct ca_err. Nothing below
 * bin/ prints or exits.
 *
 * Rules of wording: lower case, no full stop, the fault first, the subject in
 * single quotes: "cannot open 'clicks.car'". The cure, when one is known,
 * goes into the hint.
 */
#ifndef CA_BASE_ERR_H
#define CA_BASE_ERR_H

#include <stddef.h>
#include <stdint.h>

#define CA_CHECK_ME __attribute__((warn_unused_result))
#define CA_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Families with gaps; the family decides the exit status. */
enum ca_code {
    CA_OK = 0,

    CA_EUSAGE = -10,    /* bad option, operand or combination */

    CA_EFORMAT = -20,   /* malformed text or record */
    CA_EMAGIC = -21,    /* not a file of the expected kind */
    CA_EVERSION = -22,  /* a version this build does not read */
    CA_ESCHEMA = -23,   /* sound, but not what this model or tool needs */
    CA_ECHECKSUM = -24, /* bytes are not those that were written */
    CA_ETRUNCATED = -25,/* ends before its end mark */
    CA_ETRAILING = -26, /* goes on after its end mark */

    CA_EOPEN = -40,     /* cannot open or create */
    CA_EREAD = -41,     /* read failed */
    CA_EWRITE = -42,    /* write, flush, sync or rename failed */
    CA_EMEMORY = -43,   /* out of memory */
    CA_ETHREAD = -44,   /* cannot start a worker thread */

    CA_ENUMERIC = -60,  /* non-finite loss or divergence */

    CA_EDIFFER = -70,   /* the answer is no: a check failed, files differ */

    CA_EINTERNAL = -90  /* a bug in this program */
};

/* One fault. Zero-initialise ("struct ca_err err = {0}") before use. */
struct ca_err {
    int code;          /* enum ca_code; 0 while nothing has gone wrong */
    int sys;           /* errno at the time, or 0 */
    int has_offset;    /* offset is meaningful */
    int has_record;    /* record is meaningful */
    int64_t offset;    /* byte offset in file */
    int64_t record;    /* record (row) or line number */
    char file[256];    /* subject file, "" if none, "-" for the standard stream of its code */
    char text[512];    /* the fault */
    char hint[256];    /* the cure, "" if none is known */
};

/*
 * Record a fault. The first one wins: a fault already in err stays. err may be
 * NULL. Returns code, so that "return ca_err_set(...)" works.
 */
int ca_err_set(struct ca_err *err, int code, const char *fmt, ...) CA_PRINTF(3, 4);

/* As ca_err_set, and keeps errno (appended as text when the error is shown). */
int ca_err_sys(struct ca_err *err, int code, const char *fmt, ...) CA_PRINTF(3, 4);

/*
 * Say where: file (NULL leaves it), byte offset and record or line number
 * (negative leaves each unset). Fills only what is still unset, so the
 * innermost place wins. Returns err->code, or 0 with err NULL.
 */
int ca_err_at(struct ca_err *err, const char *file, int64_t offset, int64_t record);

/* Say what cures it. The first hint wins. Returns err->code, or 0 with err NULL. */
int ca_err_hint(struct ca_err *err, const char *fmt, ...) CA_PRINTF(2, 3);

/*
 * The one-line message without tool name or newline:
 * "fault: 'file' at byte 73412 (record 1024): No such file". Control
 * characters become '?'. Always terminates buf; returns buf.
 */
char *ca_err_format(const struct ca_err *err, char *buf, size_t size);

/* The exit status that belongs to a code: 0, 1, 2, 3, 4, 5 or 70. */
int ca_err_exit_status(int code);

/* Short stable name of a code ("checksum"), or "unknown". */
const char *ca_err_name(int code);

#endif
