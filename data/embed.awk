# Text files as C: awk -v header=HEADER -v type=TYPE -v array=NAME -v top=FOLDER/ -v suffix=.SUFFIX -f embed.awk FILE...
# makes NAME, an array of TYPE {name, text} that ends with NULLs; a name is the path below FOLDER without the suffix.
BEGIN {
    printf "/* made from %s by embed.awk */\n#include \"%s\"\n\nconst struct %s %s[] = {\n", top, header, type, array
}
FNR == 1 {
    if (NR > 1)
        print "    },"
    name = substr(FILENAME, length(top) + 1)
    name = substr(name, 1, length(name) - length(suffix))
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
