#include "base/inflate.h"

#include <zlib.h>
#ifdef CA_LIBDEFLATE
#include <libdeflate.h>
#endif

#include "base/banned.h"

static int malformed(struct ca_err *err)
{
    return ca_err_set(err, CA_EFORMAT, "compressed data that are malformed");
}

static int no_memory(struct ca_err *err)
{
    return ca_err_set(err, CA_EMEMORY, "out of memory: cannot decompress");
}

#ifdef CA_LIBDEFLATE

int ca_inflate(void *out, size_t n, const void *in, size_t stored, struct ca_err *err)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    size_t used, got;
    enum libdeflate_result rc;

    if (!d)
        return no_memory(err);
    rc = libdeflate_zlib_decompress_ex(d, in, stored, out, n, &used, &got);
    libdeflate_free_decompressor(d);
    return rc == LIBDEFLATE_SUCCESS && used == stored && got == n ? 0 : malformed(err);
}

const char *ca_inflate_engine(void)
{
    return "libdeflate " LIBDEFLATE_VERSION_STRING;
}

#else

int ca_inflate(void *out, size_t n, const void *in, size_t stored, struct ca_err *err)
{
    /* zlib takes no room for room for one byte, and does not say whether it was needed */
    Bytef spare[1];
    uLongf len = n ? (uLongf)n : sizeof spare;
    uLong used = (uLong)stored;
    int z = uncompress2(n ? out : spare, &len, in, &used);

    if (z == Z_MEM_ERROR)
        return no_memory(err);
    return z == Z_OK && len == n && used == stored ? 0 : malformed(err);
}

const char *ca_inflate_engine(void)
{
    return "zlib " ZLIB_VERSION;
}

#endif
