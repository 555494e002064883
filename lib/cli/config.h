/*
 * Sets of options under a name: built into a tool, or a file of the user's.
 *
 *     arch  = mlp:8:64,32,4    # where it comes from
 *     batch = 4096
 *     shuffle
 *
 * One option a line by its long name; a flag stands alone. What follows a #
 * at the start of a line or after a space is a comment.
 */
#ifndef CA_CLI_CONFIG_H
#define CA_CLI_CONFIG_H

#include <stddef.h>

#include "base/err.h"

struct ca_config {
    const char *name; /* "kdef/criteo/pnn" */
    const char *text;
};

/*
 * The text of the config of that name, else of that file, to be freed with
 * ca_mem_free. known ends with a NULL name. CA_EUSAGE where there is neither,
 * with the known ones as the hint.
 */
int ca_config_load(char **text, const struct ca_config *known, const char *name, struct ca_err *err) CA_CHECK_ME;

/*
 * The next option of a text: *p moves on, key and value point into the text,
 * which is changed; value is NULL where there is none. Returns 0 at the end.
 */
int ca_config_next(char **p, const char **key, const char **value, size_t *line);

#endif
