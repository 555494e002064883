# Schema files as C text: awk -f embed.awk A.schema B.schema > presets.c
BEGIN {
    print "/* made from data/schemas/ by embed.awk */"
    print "#include \"data/schema_file.h\"\n"
    print "const struct ca_preset ca_presets[] = {"
}
FNR == 1 {
    if (NR > 1)
        print "    },"
    name = FILENAME
    sub(/.*\//, "", name)
    sub(/\.schema$/, "", name)
    printf "    {\"%s\",\n", name
}
{
    gsub(/\\/, "\\\\")
    gsub(/"/, "\\\"")
    printf "     \"%s\\n\"\n", $0
}
END {
    print "    },\n    {0, 0},\n};"
}
