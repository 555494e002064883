/*
 * From the bytes of a field to a value: numbers, times, and the transforms of
 * numeric inputs. Strict: the whole field, finite, C locale.
 */
#ifndef CA_DATA_VALUE_H
#define CA_DATA_VALUE_H

#include <stdint.h>

#include "base/err.h"
#include "data/piece.h"

/*
 * x to the model's input. LOG2 is CrossAdapt's rule: log2(x) above 2, else x as
 * it is. LNSQ is the rule of KDEF (BARS): floor(ln(x)^2) above 2, else x
 * without its fraction. LOG1P is odd: sign(x) ln(1 + |x|).
 */
enum ca_transform { CA_TRANSFORM_NONE, CA_TRANSFORM_LOG2, CA_TRANSFORM_LOG1P, CA_TRANSFORM_LNSQ, CA_N_TRANSFORMS };

/*
 * INTEGER as it stands; DATE YYYY-MM-DD to days, HOUR YYMMDDHH (20YY) to hours,
 * DATETIME "YYYY-MM-DD HH:MM:SS" to seconds, all since 1970-01-01 00:00 and without time zone.
 */
enum ca_time_format { CA_TIME_INTEGER, CA_TIME_DATE, CA_TIME_HOUR, CA_TIME_DATETIME, CA_N_TIME_FORMATS };

/* Each returns 0 and sets *out, or nonzero. */
int ca_value_number(struct ca_piece s, double *out) CA_CHECK_ME;
int ca_value_integer(struct ca_piece s, int64_t *out) CA_CHECK_ME;
int ca_value_time(struct ca_piece s, enum ca_time_format f, int64_t *out) CA_CHECK_ME;

double ca_value_transform(enum ca_transform t, double x);

const char *ca_value_transform_name(enum ca_transform t);     /* "log2" */
const char *ca_value_time_name(enum ca_time_format f); /* "yymmddhh" */

#endif
