/* A reader over an input that is already open: how the writer of a spool hands it on. Internal to record/. */
#ifndef CA_RECORD_OPEN_H
#define CA_RECORD_OPEN_H

#include "base/in.h"
#include "record/reader.h"

/* in is taken, and closed even when this fails. */
int ca_reader_take(struct ca_reader **r, struct ca_in *in, struct ca_err *err) CA_CHECK_ME;

#endif
