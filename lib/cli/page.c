#include "cli/page.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/inflate.h"

#include "base/banned.h"

#define WIDTH 79
#define COLUMN 26

/* Print text wrapped at WIDTH, continuation lines indented; col is where the cursor stands. */
static void wrap(const char *text, size_t col, size_t indent)
{
    while (*text) {
        size_t n = strcspn(text, " ");
        if (col + n > WIDTH && col > indent) {
            (void)printf("\n%*s", (int)indent, "");
            col = indent;
        }
        (void)printf("%.*s", (int)n, text);
        col += n;
        text += n;
        if (*text == ' ') {
            text++;
            if (col + 1 + strcspn(text, " ") <= WIDTH) {
                (void)putchar(' ');
                col++;
            } else {
                (void)printf("\n%*s", (int)indent, "");
                col = indent;
            }
        }
    }
    (void)putchar('\n');
}

static void help_option(const struct ca_opt *o)
{
    char left[80], help[512];
    int n;

    if (o->letter)
        n = snprintf(left, sizeof left, "  -%c, --%s%s%s", o->letter, o->name, *o->arg ? " " : "",
                     o->type == CA_OPT_CHOICE ? "WORD" : o->arg);
    else
        n = snprintf(left, sizeof left, "      --%s%s%s", o->name, *o->arg ? " " : "",
                     o->type == CA_OPT_CHOICE ? "WORD" : o->arg);
    (void)snprintf(help, sizeof help, "%s%s%s%s%s%s", o->help, o->type == CA_OPT_CHOICE ? ": " : "",
                   o->type == CA_OPT_CHOICE ? o->arg : "", o->def ? " (" : "", o->def ? o->def : "", o->def ? ")" : "");
    if (n < COLUMN)
        (void)printf("%-*s", COLUMN, left);
    else
        (void)printf("%s\n%*s", left, COLUMN, "");
    wrap(help, COLUMN, COLUMN);
}

void ca_page_help(const struct ca_tool *t)
{
    (void)printf("%s: %s\n\nUsage: %s [OPTION...]%s%s\n\nExamples:\n", t->name, t->summary, t->name,
                 *t->operands ? " " : "", t->operands);
    for (const struct ca_example *e = t->examples; e->command; e++)
        (void)printf("  %s\n      %s\n", e->command, e->what);
    if (t->n_opts)
        (void)printf("\nOptions:\n");
    for (size_t i = 0; i < t->n_opts; i++)
        help_option(&t->opts[i]);
    (void)printf("\nCommon options:\n");
    for (size_t i = 0; i < ca_cli_n_common_opts; i++)
        help_option(&ca_cli_common_opts[i]);
    (void)printf("  -h, --help              show this\n      --version           show version and build\n");
}

void ca_page_version(const struct ca_tool *t)
{
    (void)printf("%s %s (%s)\ncompiler: %s\nflags: %s\nzlib: %s\nunpacking: %s\n", t->name, CA_VERSION, CA_COMMIT,
                 __VERSION__, CA_FLAGS, zlibVersion(), ca_inflate_engine());
    if (t->engine)
        (void)printf("engine: %s\n", t->engine());
}

/* mdoc treats a leading point or quote and every backslash as markup. */
static void mdoc_text(const char *s)
{
    if (*s == '.' || *s == '\'')
        (void)printf("\\&");
    for (; *s; s++) {
        if (*s == '\\')
            (void)printf("\\e");
        else
            (void)putchar(*s);
    }
}

static void man_option(const struct ca_opt *o)
{
    (void)printf(".It ");
    if (o->letter)
        (void)printf("Fl %c , ", o->letter);
    (void)printf("Fl Fl %s%s%s\n", o->name, *o->arg ? " Ar " : "", o->arg);
    mdoc_text(o->help);
    if (o->def)
        (void)printf(" (default: %s)", o->def);
    (void)printf(".\n");
}

void ca_page_man_options(const struct ca_tool *t)
{
    (void)printf(".Bl -tag -width Ds\n");
    for (size_t i = 0; i < t->n_opts; i++)
        man_option(&t->opts[i]);
    (void)printf(".El\n.Pp\nOptions that every tool has:\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < ca_cli_n_common_opts; i++)
        man_option(&ca_cli_common_opts[i]);
    (void)printf(".It Fl h , Fl Fl help\nshow help on standard output.\n"
                 ".It Fl Fl version\nshow version and build on standard output.\n.El\n");
}

static void completion_case(const struct ca_opt *o)
{
    if (o->type == CA_OPT_CHOICE) {
        (void)printf("    --%s) mapfile -t COMPREPLY < <(compgen -W '", o->name);
        for (const char *p = o->arg; *p; p++)
            (void)putchar(*p == '|' ? ' ' : *p);
        (void)printf("' -- \"$cur\"); return ;;\n");
    } else if (o->type == CA_OPT_FILE) {
        (void)printf("    %s%.1s%s--%s) compopt -o default; COMPREPLY=(); return ;;\n", o->letter ? "-" : "",
                     o->letter ? &o->letter : "", o->letter ? "|" : "", o->name);
    }
}

void ca_page_completion(const struct ca_tool *t)
{
    char function[64];
    size_t n = 0;

    for (const char *p = t->name; *p && n + 1 < sizeof function; p++)
        function[n++] = *p == '-' ? '_' : *p;
    function[n] = '\0';
    (void)printf("# bash completion for %s\n_%s() {\n  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                 "  case $prev in\n", t->name, function);
    for (size_t i = 0; i < t->n_opts; i++)
        completion_case(&t->opts[i]);
    for (size_t i = 0; i < ca_cli_n_common_opts; i++)
        completion_case(&ca_cli_common_opts[i]);
    (void)printf("  esac\n  if [[ $cur == -* ]]; then\n    mapfile -t COMPREPLY < <(compgen -W '");
    for (size_t i = 0; i < t->n_opts; i++)
        (void)printf("--%s ", t->opts[i].name);
    for (size_t i = 0; i < ca_cli_n_common_opts; i++)
        (void)printf("--%s ", ca_cli_common_opts[i].name);
    (void)printf("--help --version' -- \"$cur\")\n  else\n    compopt -o default; COMPREPLY=()\n  fi\n}\ncomplete -F _%s %s\n",
                 function, t->name);
}
