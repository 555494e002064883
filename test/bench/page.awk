# summary.tsv to the page: a table for each section that was measured. targets and limits: test/bench/targets.tsv and
# limits.tsv, what bounds a case that does not meet its target; published: what pipelines/crossadapt/published.awk makes
# of Table 1; clock: wall or cpu, what rates are by; tiny: no verdicts, since nothing of that size is what a target
# speaks of.
BEGIN { FS = "\t"; dash = "–" }
NR == 1 { for (i = 1; i <= NF; i++) col[$i] = i; next }
{
  key = $1 FS $2 FS $3 FS $4 FS $5
  for (name in col) at[key, name] = $col[name]
  there[key] = 1
  if (!(($1, $4) in seen_threads)) { seen_threads[$1, $4] = 1; threads[$1] = threads[$1] " " $4 }
  group = $2 FS $3 FS $5
  if (!(($1, group) in seen)) { seen[$1, group] = 1; groups[$1]++; grp[$1, groups[$1]] = group }
}
# 0.1234 1.23 12.3 123 12 k 1.2 M
function short(x) {
  if (x == 0 || x == "") return dash
  if (x >= 9.995e8) return sprintf("%.3g G", x / 1e9)
  if (x >= 9.995e5) return sprintf("%.3g M", x / 1e6)
  if (x >= 9995) return sprintf("%.3g k", x / 1e3)
  if (x >= 100) return sprintf("%.0f", x)
  return sprintf("%.3g", x)
}
function per_s(key) {
  if (!(key in there)) return dash
  return at[key, "rounds"] < 2 ? short(at[key, "per_s"]) \
    : short(at[key, "per_s"]) " [" short(at[key, "least"]) " to " short(at[key, "most"]) "]"
}
function percent(x) { return x == "-" || x == "" || x == 0 ? dash : sprintf("%.0f %%", 100 * x) }
function title(text, note) { print "\n## " text "\n\n" note "\n" }
function rule(n,    line) { line = "|:--"; while (--n > 0) line = line "|--:"; print line "|" }
function escape(x) { gsub(/\|/, "\\|", x); return x }
function key_of(section, name, what, j, x) { return section FS name FS what FS j FS x }

function machine(    i, j, n, g, t, line, key, unit) {
  if (!groups["machine"]) return
  title("The machine", "Its own limits. Streams count every byte read and written; rows are of 16 or 48 floats at random places.")
  n = split(threads["machine"], t, " ")
  line = "| limit | unit |"
  for (j = 1; j <= n; j++) line = line " " t[j] (t[j] == 1 ? " thread |" : " threads |")
  print line; rule(n + 2)
  for (i = 1; i <= groups["machine"]; i++) {
    split(grp["machine", i], g, FS)
    line = "| " g[1] ", " g[2] (g[3] == "-" ? "" : ", " g[3])
    for (j = 1; j <= n; j++) {
      key = key_of("machine", g[1], g[2], t[j], g[3])
      unit = at[key, "unit"]
      if (j == 1) line = line " | " (unit == "rows" ? "rows/s" : unit == "bytes" ? "byte/s" : "FLOP/s") " |"
      line = line " " per_s(key) " |"
    }
    print line
  }
}

function archs(    i, j, n, g, t, line, key, one) {
  if (!groups["arch"]) return
  title("Architectures", "The networks of the tools, through the calls that the tools make. Rows a second in memory, ids fresh for every step;\n" \
    "GFLOP/s after the formulas of the model (training: three times forward), and their share of the multiply-add peak; GB/s of\n" \
    "rows of tables, as if each look-up met another row (in training with moments, read and written). Peak memory holds tables,\n" \
    "moments and one batch. Architectures that no target speaks of are measured once, for half a second.")
  n = split(threads["arch"], t, " ")
  line = "| model | what |"
  for (j = 1; j <= n; j++) line = line " rows/s, " t[j] "T | rows/CPU s | GFLOP/s | of peak | GB/s |"
  if (n > 1) line = line " speed-up |"
  print line " peak MB |"; rule(2 + 5 * n + (n > 1) + 1)
  for (i = 1; i <= groups["arch"]; i++) {
    split(grp["arch", i], g, FS)
    line = "| " g[1] " | " g[2] " |"
    for (j = 1; j <= n; j++) {
      key = key_of("arch", g[1], g[2], t[j], g[3])
      line = line " " per_s(key) " | " short(at[key, "per_cpu_s"]) " | " short(at[key, "gflop_per_s"]) " | " percent(at[key, "of_peak"]) " | " \
        (at[key, "mb_per_s"] > 0 ? sprintf("%.2f", at[key, "mb_per_s"] / 1e3) : dash) " |"
      if (j == 1) one = at[key, "per_s"]
    }
    if (n > 1) line = line " " (one > 0 ? sprintf("%.2f", at[key, "per_s"] / one) : dash) " |"
    print line " " at[key, "rss_mb"] " |"
  }
}

# a line for each case: speed with every number of threads
function stages(section,    i, j, n, g, t, line, key, heading, by_rows) {
  if (!groups[section]) return
  by_rows = section == "rows" || section == "tool"
  n = split(threads[section], t, " ")
  line = by_rows ? "| stage | what | rows |" : "| stage | what |"
  for (j = 1; j <= n; j++) line = line " rows/s, " t[j] "T | ns/row | MB/s | rows/CPU s |"
  print line " peak MB |"; rule(2 + by_rows + 4 * n + 1)
  for (i = 1; i <= groups[section]; i++) {
    split(grp[section, i], g, FS)
    line = "| " g[1] " | " g[2] " |" (by_rows ? " " short(g[3]) " |" : "")
    for (j = 1; j <= n; j++) {
      key = key_of(section, g[1], g[2], t[j], g[3])
      line = line " " per_s(key) " | " (key in there ? at[key, "ns_per_row"] : dash) " | " short(at[key, "mb_per_s"]) " | " short(at[key, "per_cpu_s"]) " |"
      if (key in there) heading = at[key, "rss_mb"]
    }
    print line " " heading " |"
  }
}

function sweep(section, name,    i, j, n, g, t, line, key) {
  if (!groups[section]) return
  n = split(threads[section], t, " ")
  line = "| model | " name " |"
  for (j = 1; j <= n; j++) line = line " rows/s, " t[j] "T | GFLOP/s | of peak |"
  print line " peak MB |"; rule(2 + 3 * n + 1)
  for (i = 1; i <= groups[section]; i++) {
    split(grp[section, i], g, FS)
    line = "| " g[1] " | " short(g[3]) " |"
    for (j = 1; j <= n; j++) {
      key = key_of(section, g[1], g[2], t[j], g[3])
      line = line " " per_s(key) " | " short(at[key, "gflop_per_s"]) " | " percent(at[key, "of_peak"]) " |"
    }
    print line " " at[key, "rss_mb"] " |"
  }
}

# what a step with dense Adam would cost against what it does cost, by tables so wide
function lazy(j, x, width,    i, g, a, train, dense, bare) {
  for (i = 1; i <= groups["tables"]; i++) {
    split(grp["tables", i], g, FS)
    split(g[1], a, ":")
    if (a[2] != width) continue
    train = key_of("tables", g[1], "train", j, x); dense = key_of("tables", g[1], "dense", j, x)
    bare = key_of("tables", g[1], "train", j, 100)
    if (train in there && dense in there && bare in there)
      return (1 / at[bare, "per_s"] + 1 / at[dense, "per_s"]) * at[train, "per_s"]
  }
  return 0
}
function tables(    i, j, n, g, a, t, line, key, dense) {
  if (!groups["tables"]) return
  n = split(threads["tables"], t, " ")
  line = "| model | rows of tables |"
  for (j = 1; j <= n; j++) line = line " rows/s, " t[j] "T | dense Adam alone | lazy / dense |"
  print line " peak MB | dense MB |"; rule(2 + 3 * n + 2)
  for (i = 1; i <= groups["tables"]; i++) {
    split(grp["tables", i], g, FS)
    if (g[2] != "train") continue
    split(g[1], a, ":")
    line = "| " g[1] " | " short(g[3]) " |"
    for (j = 1; j <= n; j++) {
      key = key_of("tables", g[1], "train", t[j], g[3]); dense = key_of("tables", g[1], "dense", t[j], g[3])
      line = line " " per_s(key) " | " per_s(dense) " | " (lazy(t[j], g[3], a[2]) ? sprintf("%.2f", lazy(t[j], g[3], a[2])) : dash) " |"
    }
    print line " " at[key, "rss_mb"] " | " (dense in there ? at[dense, "rss_mb"] : dash) " |"
  }
}

# the entry of section arch that a target calls by the architecture's name
function arch_key(name, what, j,    i, g, short_name) {
  for (i = 1; i <= groups["arch"]; i++) {
    split(grp["arch", i], g, FS)
    short_name = g[1]; sub(/:.*/, "", short_name)
    if (index(g[1], "+")) short_name = "distill"
    if (short_name == name && g[2] == what && key_of("arch", g[1], what, j, g[3]) in there)
      return key_of("arch", g[1], what, j, g[3])
  }
  return ""
}
# the peer's measurement of a case in a setting: "default", "best", "rewritten" or "sparse"
function peer_key(name, what, j, setting) { return key_of("peer", name, what, j, setting) }

# Threads of the peer that wait for each other spin, so that its processor time with several of them says nothing.
function spins(j) { return clock == "cpu" && j > 1 }

function peers(    i, j, n, t, line, k, names, whats, m, s, setting, ours) {
  if (!groups["peer"]) return
  title("Against PyTorch", "An independent implementation of the same models (test/bench/peer.py), measured in the same rounds: as it comes, and in\n" \
    "its best settings (OpenMP BLAS, one pool of threads, memory kept by malloc), as published code is written; rewritten\n" \
    "for speed, without loops over fields and pairs; and, though that is another algorithm, with SparseAdam. Ids are fresh for\n" \
    "every step on both sides. Inference keeps no tape and is the faster of its own code and a frozen trace of torch.jit, but\n" \
    "for default. Ratios are our rows a second over its own; the one by processor time, to its best, is the one to believe\n" \
    "where other work ran beside the measurement. There is none for more threads, which spin while they wait.")
  n = split(threads["peer"], t, " "); s = split("default,best,rewritten,sparse", setting, ",")
  line = "| model | what | threads | ours rows/s |"
  for (k = 1; k <= s; k++) line = line " " setting[k] " rows/s | ratio |"
  print line " by processor time | peak MB, ours | peak MB, its |"; rule(4 + 2 * s + 3)
  m = split("mlp train,mlp infer,fibinet train,fibinet infer,dcn train,dcn infer,autoint train,autoint infer,afm train,afm infer,distill distill", names, ",")
  for (i = 1; i <= m; i++) for (j = 1; j <= n; j++) {
    split(names[i], whats, " ")
    ours = arch_key(whats[1], whats[2], t[j])
    line = "| " whats[1] " | " whats[2] " | " t[j] " | " per_s(ours) " |"
    for (k = 1; k <= s; k++) {
      key = peer_key(whats[1], whats[2], t[j], setting[k])
      line = line " " per_s(key) " | " (ours != "" && key in there && !spins(t[j]) ? sprintf("%.2f", at[ours, "per_s"] / at[key, "per_s"]) : dash) " |"
    }
    key = peer_key(whats[1], whats[2], t[j], "best")
    line = line " " (ours != "" && t[j] == 1 && at[key, "per_cpu_s"] > 0 ? sprintf("%.2f", at[ours, "per_cpu_s"] / at[key, "per_cpu_s"]) : dash) " |"
    print line " " (ours == "" ? dash : at[ours, "rss_mb"]) " | " (key in there ? at[key, "rss_mb"] : dash) " |"
  }
}

# of the longest log
function tool_ratio(what, j,    i, g, memory, key, most, value) {
  for (i = 1; i <= groups["tool"]; i++) {
    split(grp["tool", i], g, FS)
    if (g[2] != what || g[3] + 0 < most) continue
    key = key_of("tool", g[1], what, j, g[3]); memory = key_of("tool", g[1], "in memory", j, g[3])
    if (!(key in there && memory in there)) continue
    most = g[3] + 0
    value = at[key, "per_s"] / at[memory, "per_s"]
  }
  return value + 0
}

# how much more the longest log takes than the shortest, by the row: processor time, or peak memory of all of it
function growth(kind, name, what, j,    i, g, least, most, key, first, last) {
  for (i = 1; i <= groups["rows"]; i++) {
    split(grp["rows", i], g, FS)
    key = key_of("rows", g[1], g[2], j, g[3])
    if (g[1] != name || index(g[2], what) != 1 || !(key in there)) continue
    if (least == "" || g[3] + 0 < least) { least = g[3] + 0; first = key }
    if (most == "" || g[3] + 0 > most) { most = g[3] + 0; last = key }
  }
  if (!(most > least)) return 0
  return kind == "rows" ? at[first, "per_cpu_s"] / at[last, "per_cpu_s"] : at[last, "rss_mb"] / at[first, "rss_mb"]
}

function whole_key(method, student, j,    i, g) {
  for (i = 1; i <= groups["whole"]; i++) {
    split(grp["whole", i], g, FS)
    if (g[1] == method && g[2] == student) return key_of("whole", method, student, j, g[3])
  }
  return ""
}
function whole(    i, n, g, key, line, f, theirs) {
  if (!groups["whole"]) return
  split(grp["whole", 1], g, FS)
  n = threads["whole"] + 0
  title("Whole jobs", "Methods of the paper\047s Table 1, its matched student (MLP), on a generated log of " short(g[3]) " rows, with " n " threads: from\n" \
    "records on disk to the last model, reading, sampling, the teacher\047s answers, replay and writing included, the teacher\047s own\n" \
    "training not. Published seconds are those of Table 1 for Criteo, on a GPU.")
  print "| method | rows trained | seconds | CPU seconds | published s | ours / published |"; rule(6)
  for (i = 1; i <= groups["whole"]; i++) {
    split(grp["whole", i], g, FS)
    key = key_of("whole", g[1], g[2], n, g[3])
    theirs = published_s["table1/" g[2] "/" g[1]]
    line = "| " g[1] " | " short(at[key, "per_s"] * at[key, "seconds"]) " | " sprintf("%.1f", at[key, "seconds"]) " | " \
      (at[key, "per_cpu_s"] > 0 ? sprintf("%.1f", at[key, "per_s"] * at[key, "seconds"] / at[key, "per_cpu_s"]) : dash)
    print line " | " (theirs ? theirs : dash) " | " (theirs ? sprintf("%.2f", at[key, "seconds"] / theirs) : dash) " |"
  }
}

function read_published(    line, f) {
  while ((getline line < published) > 0) {
    split(line, f, "\t")
    if (f[2] == "time_s") published_s[f[1]] = f[3]
  }
}

# what bounds a case, by kind, case, what and threads
function read_limits(    line, f) {
  while ((getline line < limits) > 0) {
    split(line, f, "\t")
    limit[f[1], f[2], f[3], f[4]] = f[5]
  }
}

# Targets of these kinds are met by less, all others by more.
function less(kind) { return kind == "rows" || kind == "memory" || kind == "whole" }

function target_lines(    line, f, value, key, best, a, met, goal) {
  if (tiny) return
  title("Targets", "What this run says of each; a dash is what it did not measure. Of a target that is not met it says what bounds the case.")
  print "| case | what | threads | target | measured | |"; rule(6)
  while ((getline line < targets) > 0) {
    split(line, f, "\t")
    if (f[1] == "kind") continue
    value = 0
    goal = f[5]
    if (f[1] == "peer") {
      key = arch_key(f[2], f[3], f[4]); best = peer_key(f[2], f[3], f[4], "best")
      if (key != "" && best in there && !spins(f[4])) value = at[key, "per_s"] / at[best, "per_s"]
    } else if (f[1] == "peak") {
      key = arch_key(f[2], f[3], f[4])
      if (key != "" && at[key, "of_peak"] != "-") value = at[key, "of_peak"]
    } else if (f[1] == "tool") value = tool_ratio(f[3], f[4])
    else if (f[1] == "lazy") {
      split(f[2], a, ":")
      value = lazy(f[4], a[1], a[2])
    } else if (f[1] == "whole") {
      goal = published_s["table1/" f[3] "/" f[2]]
      key = whole_key(f[2], f[3], f[4])
      if (goal && key in there) value = at[key, "seconds"]
    } else value = growth(f[1], f[2], f[3], f[4])
    # of the multiply-add peak that the peer's speed times the goal would take
    takes = f[1] == "peer" && value && at[key, "of_peak"] > 0 ? at[key, "of_peak"] * goal / value : 0
    met = value ? (less(f[1]) ? value <= goal : value >= goal) : 0
    print "| " (f[1] == "lazy" ? short(a[1]) " rows of tables, width " a[2] : f[2]) " | " f[3] " | " f[4] " | " goal " " f[6] " | " \
      (value ? sprintf(f[1] == "whole" ? "%.1f" : f[1] == "peak" ? "%.3f" : "%.2f", value) : dash) " | " \
      (!value ? "" : met ? "met" : "not met" ((f[1], f[2], f[3], f[4]) in limit ? ": " limit[f[1], f[2], f[3], f[4]] : "") \
      (takes ? sprintf("; it would take %.0f %% of the multiply-add peak", 100 * takes) : "")) " |"
  }
}

END {
  read_published()
  read_limits()
  machine()
  archs()
  if (groups["stage"]) {
    title("Stages", "Whole tools from file to file, start and end included; MB/s of the text, or of the records in memory.")
    stages("stage")
  }
  if (groups["tool"]) {
    title("From records on disk to a model", "The whole of ca-train, from its start to a model on disk, against the same rows out of memory. Its start and end take as\n" \
      "long for any number of rows; the target speaks of the longest log.")
    stages("tool")
  }
  whole()
  if (groups["rows"]) {
    title("Cost by rows", "What a row costs must not grow with their number, nor memory. Streams of output go nowhere; what split writes and\n" \
      "what no longer fits into memory is the disk\047s time, so the target speaks of processor time.")
    stages("rows")
  }
  if (groups["tables"]) {
    title("Cost by vocabulary", "Lazy Adam against a dense one: a step whose tables are next to nothing, plus our own vectorised pass over all rows,\n" \
      "over the step as it is.")
    tables()
  }
  if (groups["batch"]) { title("Cost by batch", "Training, one thread."); sweep("batch", "batch") }
  if (groups["width"]) { title("Cost by width", "Training, one thread."); sweep("width", "width") }
  if (groups["ratio"]) {
    title("Against plain twins", "How many times faster than plain C that does the same (test/bench/plain.c), by processor time.")
    print "| case | ratio |"; rule(2)
    for (i = 1; i <= groups["ratio"]; i++) {
      split(grp["ratio", i], g, FS)
      print "| " g[1] " | " sprintf("%.2f", at[key_of("ratio", g[1], g[2], 1, g[3]), "per_s"]) " |"
    }
  }
  peers()
  target_lines()
}
