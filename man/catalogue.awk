# For ca-architectures(7): ca-train --list-archs as a list, then what pipelines/zoo.mk measured of each on several logs:
# ca-train --list-archs | awk -f catalogue.awk - FOLDER/LOG.tsv...
BEGIN { FS = "\t"; print ".Bl -tag -width masknet-serial" }
FNR == 1 {
    split("", at)
    for (i = 1; i <= NF; i++)
        at[$i] = i
    log_name = ""
    if (FILENAME != "-" && FILENAME != "") {
        log_name = FILENAME
        gsub(/.*\/|\.tsv$/, "", log_name)
        logs[++n_logs] = log_name
    }
    next
}
log_name == "" {
    order[++n] = $at["name"]
    printf ".It Cm %s\n%s.\n", $at["name"], $at["source"]
    printf ".br\nused: %s\n.br\nparameters: %s\n.br\noperations: %s\n", $at["used"], $at["parameters"], $at["operations"]
    next
}
$at["seeds"] > 0 {
    a = $at["architecture"]
    auc[log_name, a] = sprintf("%.2f \\(+- %.2f", $at["auc_pct"], $at["auc_pct_sd"])
    loss[log_name, a] = sprintf("%.4f", $at["logloss"])
    seeds = $at["seeds"]
    if (log_name == logs[1]) {
        parameters[a] = $at["parameters"]
        rate[a] = sprintf("%d", ($at["rows_per_s"] + 500) / 1000)
    }
}
END {
    print ".El"
    if (!n_logs) exit
    print ".Ss Side by side"
    printf "What\n.Pa pipelines/zoo.mk\nmeasured with tables of width 8 and hidden layers of 64 and 32: AUC in percent and LogLoss on the newest tenth, "
    printf "means over %d seeds, \\(+- the sample standard deviation of the AUC; of the first log parameters in all, and thousands of rows that are trained on in a second, on one thread beside another job.\n", seeds
    printf "The logs:"
    for (k = 1; k <= n_logs; k++)
        printf "%s\n.Cm %s", (k > 1 ? " ," : ""), logs[k]
    print " ."
    print "A hyphen stands for what a log does not have."
    printf ".Bl -column -offset 0n \"dmin-multidomain\""
    for (k = 1; k <= n_logs; k++) printf " \"00.00 +- 0.00\" \"0.0000\""
    print " \"000000\" \"0000\""
    printf ".It architecture"
    for (k = 1; k <= n_logs; k++) printf " Ta %s Ta \\ ", logs[k]
    print " Ta param. Ta rows"
    for (i = 1; i <= n; i++) {
        a = order[i]
        printf ".It %s", a
        for (k = 1; k <= n_logs; k++)
            printf " Ta %s Ta %s", (((logs[k], a) in auc) ? auc[logs[k], a] : "-"), (((logs[k], a) in loss) ? loss[logs[k], a] : "-")
        printf " Ta %s Ta %s\n", parameters[a], rate[a]
    }
    print ".El"
}
