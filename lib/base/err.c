#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

static const struct {
    int code;
    int status;
    const char *name;
} codes[] = {
    {CA_OK, 0, "ok"},
    {CA_EUSAGE, 2, "usage"},
    {CA_EFORMAT, 3, "format"},
    {CA_EMAGIC, 3, "magic"},
    {CA_EVERSION, 3, "version"},
    {CA_ESCHEMA, 3, "schema"},
    {CA_ECHECKSUM, 3, "checksum"},
    {CA_ETRUNCATED, 3, "truncated"},
    {CA_ETRAILING, 3, "trailing"},
    {CA_EOPEN, 4, "open"},
    {CA_EREAD, 4, "read"},
    {CA_EWRITE, 4, "write"},
    {CA_EMEMORY, 4, "memory"},
    {CA_ETHREAD, 4, "thread"},
    {CA_ENUMERIC, 5, "numeric"},
    {CA_EDIFFER, 1, "differ"},
    {CA_EINTERNAL, 70, "internal"},
};

static int fill(struct ca_err *err, int code, int sys, const char *fmt, va_list ap)
{
    if (!err || err->code)
        return code;
    err->code = code;
    err->sys = sys;
    (void)vsnprintf(err->text, sizeof err->text, fmt, ap);
    return code;
}

int ca_err_set(struct ca_err *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(err, code, 0, fmt, ap);
    va_end(ap);
    return code;
}

int ca_err_sys(struct ca_err *err, int code, const char *fmt, ...)
{
    int sys = errno;
    va_list ap;
    va_start(ap, fmt);
    fill(err, code, sys, fmt, ap);
    va_end(ap);
    return code;
}

int ca_err_at(struct ca_err *err, const char *file, int64_t offset, int64_t record)
{
    if (!err)
        return 0;
    if (file && !err->file[0])
        (void)snprintf(err->file, sizeof err->file, "%s", file);
    if (offset >= 0 && !err->has_offset) {
        err->has_offset = 1;
        err->offset = offset;
    }
    if (record >= 0 && !err->has_record) {
        err->has_record = 1;
        err->record = record;
    }
    return err->code;
}

int ca_err_hint(struct ca_err *err, const char *fmt, ...)
{
    if (!err)
        return 0;
    if (!err->hint[0]) {
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(err->hint, sizeof err->hint, fmt, ap);
        va_end(ap);
    }
    return err->code;
}

char *ca_err_format(const struct ca_err *err, char *buf, size_t size)
{
    const char *standard = err->code == CA_EWRITE ? "standard output" : "standard input";
    char where[512] = "";
    char record[64] = "";
    size_t used;

    if (err->file[0])
        (void)snprintf(where, sizeof where, "'%s'", strcmp(err->file, "-") ? err->file : standard);
    if (err->has_offset) {
        used = strlen(where);
        (void)snprintf(where + used, sizeof where - used, "%sat byte %lld", used ? " " : "", (long long)err->offset);
    }
    if (err->has_record)
        (void)snprintf(record, sizeof record, " (record %lld)", (long long)err->record);
    (void)snprintf(buf, size, "%s%s%s%s%s%s", err->text, where[0] || record[0] ? ": " : "", where, record,
                   err->sys ? ": " : "", err->sys ? strerror(err->sys) : "");
    for (char *p = buf; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return buf;
}

int ca_err_exit_status(int code)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].code == code)
            return codes[i].status;
    return 70;
}

const char *ca_err_name(int code)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].code == code)
            return codes[i].name;
    return "unknown";
}
