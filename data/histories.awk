# The log of MovieLens-1M with two more columns: the items that the user of a
# row has liked before, and their first genres, the last 50 in order of time,
# between '|'. Rows must come in order of time, as those of ml1m.csv do. A like
# counts for rows of a later time only: rows of the same second do not see it.
#
#     zcat ml1m.csv.gz | awk -f data/histories.awk > ml1m_his.csv
#     ca-import --schema ml1m --with 'item_his list like=item max=50
#         genre_his list like=genre1 max=50' ml1m_his.csv -o ml1m_his.car
#
# Memory is that of 50 items a user.
BEGIN { FS = OFS = ","; most = 50 }
function last(list,    n, part, k, s) {
    n = split(list, part, "|")
    if (n <= most)
        return list
    for (k = n - most + 1; k <= n; k++)
        s = s (s == "" ? "" : "|") part[k]
    return s
}
function join(list, item) { return list == "" ? item : last(list "|" item) }
NR == 1 {
    for (i = 1; i <= NF; i++)
        at[$i] = i
    split("like time user item genre1", need, " ")
    for (i = 1; i in need; i++)
        if (!(need[i] in at)) {
            print "histories.awk: no column '" need[i] "'" > "/dev/stderr"
            exit 3
        }
    print $0, "item_his", "genre_his"
    next
}
{
    u = $at["user"]
    # what this user liked in an earlier second becomes part of the history now
    if (wait[u] && $at["time"] != since[u]) {
        n = split(new_items[u], item, "|")
        split(new_genres[u], genre, "|")
        for (i = 1; i <= n; i++) {
            items[u] = join(items[u], item[i])
            genres[u] = join(genres[u], genre[i])
        }
        wait[u] = 0
        new_items[u] = new_genres[u] = ""
    }
    print $0, items[u], genres[u]
    if ($at["like"] == 1) {
        new_items[u] = wait[u] ? new_items[u] "|" $at["item"] : $at["item"]
        new_genres[u] = wait[u] ? new_genres[u] "|" $at["genre1"] : $at["genre1"]
        wait[u] = 1
        since[u] = $at["time"]
    }
}
