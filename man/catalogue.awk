# ca-train --list-archs as a list for ca-architectures(7)
BEGIN { FS = "\t"; print ".Bl -tag -width masknet-serial" }
NR == 1 {
    for (i = 1; i <= NF; i++)
        at[$i] = i
    next
}
{
    printf ".It Cm %s\n%s.\n", $at["name"], $at["source"]
    printf ".br\nused: %s\n.br\nparameters: %s\n.br\noperations: %s\n", $at["used"], $at["parameters"], $at["operations"]
}
END { print ".El" }
