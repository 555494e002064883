#include "data/settle.h"

#include "record/writer.h"

#include "base/banned.h"

static int to_spool(struct ca_reader **r, struct ca_err *err)
{
    struct ca_reader *spooled = NULL;
    struct ca_writer *w = NULL;
    struct ca_block b;
    int rc = ca_writer_spool(&w, ca_reader_head(*r), err);

    if (rc)
        return rc;
    while ((rc = ca_reader_next(*r, &b, err)) > 0)
        if ((rc = ca_writer_put(w, &b, 0, b.rows, err)))
            break;
    if (rc) {
        ca_writer_abort(w);
        return rc;
    }
    if ((rc = ca_writer_spooled(w, &spooled, err)))
        return rc;
    ca_reader_close(*r);
    *r = spooled;
    return ca_reader_index(*r, err);
}

static int settle(struct ca_reader **r, int any_order, struct ca_err *err)
{
    struct ca_err probe = {0};
    int rc = ca_reader_index(*r, &probe);

    if (rc == CA_EUSAGE || (!rc && any_order && !ca_reader_in_place(*r)))
        rc = to_spool(r, err);
    else if (rc && err && !err->code)
        *err = probe;
    return rc ? rc : ca_reader_seek(*r, 0, err);
}

int ca_settle(struct ca_reader **r, struct ca_err *err)
{
    return settle(r, 0, err);
}

int ca_settle_random(struct ca_reader **r, struct ca_err *err)
{
    return settle(r, 1, err);
}
