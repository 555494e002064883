/*
 * What a tool's table looks like when printed: help, version, the OPTIONS
 * section of the manual and bash completion. All to standard output.
 */
#ifndef CA_CLI_PAGE_H
#define CA_CLI_PAGE_H

#include "cli/cli.h"

extern const struct ca_opt ca_cli_common_opts[];
extern const size_t ca_cli_n_common_opts;

void ca_page_help(const struct ca_tool *t);
void ca_page_version(const struct ca_tool *t);
void ca_page_man_options(const struct ca_tool *t); /* an mdoc list */
void ca_page_completion(const struct ca_tool *t);

#endif
