# The table of zoo.mk from ca-train --list-archs on standard input and the files of the runs:
# awk -v out=FOLDER -v seeds=N -v names='A B ...' -v md=FILE -f zoo.awk. TSV to standard output, Markdown to md.
BEGIN {
    FS = OFS = "\t"
    print "architecture", "family", "auc_pct", "auc_pct_sd", "logloss", "logloss_sd", "parameters", "operations", \
        "rows_per_s", "seeds", "refused"
    print "| architecture | AUC (%) | LogLoss | parameters | operations a row | rows a second |" > md
    print "|:--|--:|--:|--:|--:|--:|" > md
    n = split(names, list, " ")
    for (i = 1; i <= n; i++)
        wanted[list[i]] = 1
}
NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
# mean and deviation of v[1..n] into MEAN and SD
function spread(v, n,    i, s, q) {
    for (i = 1; i <= n; i++) s += v[i]
    MEAN = s / n
    for (i = 1; i <= n; i++) q += (v[i] - MEAN) ^ 2
    SD = n > 1 ? sqrt(q / (n - 1)) : 0
}
function read_plan(file,    line, part) {
    split("", plan)
    while ((getline line < file) > 0) {
        split(line, part, "\t")
        plan[part[1]] = part[2]
    }
    close(file)
}
# the value of a column in the last line of a table
function last_of(file, name,    line, head, part, i, at) {
    if ((getline line < file) <= 0) { print "zoo.awk: nothing in " file > "/dev/stderr"; exit 1 }
    at = 0
    split(line, head, "\t")
    for (i in head) if (head[i] == name) at = i
    while ((getline line < file) > 0) split(line, part, "\t")
    close(file)
    return part[at]
}
$column["name"] in wanted {
    name = $column["name"]
    read_plan(out "/" name ".plan")
    if ("refused" in plan) {
        print name, $column["family"], "nan", "nan", "nan", "nan", "nan", "nan", "nan", 0, plan["refused"]
        printf "| %s | - | - | - | - | - |\n", name > md
        left = left sprintf("- `%s`: %s\n", name, plan["refused"])
        next
    }
    for (k = 0; k < seeds; k++) {
        run = out "/seed-" k "/" name
        auc[k + 1] = 100 * last_of(run ".eval.tsv", "auc")
        loss[k + 1] = last_of(run ".eval.tsv", "logloss")
        rate[k + 1] = last_of(run ".steps.tsv", "rows") / (last_of(run ".steps.tsv", "train_s") + 1e-6)
    }
    parameters = plan["dense_parameters"] + plan["table_parameters"]
    spread(rate, seeds); r = MEAN
    spread(loss, seeds); l = MEAN; l_sd = SD
    spread(auc, seeds)
    printf "%s\t%s\t%.6f\t%.6f\t%.8f\t%.8f\t%d\t%d\t%.0f\t%d\t\n", name, $column["family"], MEAN, SD, l, l_sd, parameters, \
        plan["flops_per_row"], r, seeds
    printf "| %s | %.2f ± %.2f | %.4f ± %.4f | %d | %d | %d |\n", name, MEAN, SD, l, l_sd, parameters, \
        plan["flops_per_row"], r > md
}
END {
    printf "\n%d seed%s; ± is the sample standard deviation. AUC and LogLoss on test.\n", seeds, seeds == 1 ? "" : "s" > md
    if (left != "") printf "\nNot for this log:\n\n%s", left > md
}
