# A page of ours as one HTML file with its figures inside: awk -f html.awk PAGE.md > PAGE.html
# Knows what our pages are made of: headings, paragraphs, tables, lists, code between lines of three backquotes, `code`,
# and figures on lines of their own, which are read from where the page says.
function escape(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); gsub(/>/, "\\&gt;", s); return s }
function spans(s,    out) {
  s = escape(s)
  while (match(s, /`[^`]*`/)) {
    out = out substr(s, 1, RSTART - 1) "<code>" substr(s, RSTART + 1, RLENGTH - 2) "</code>"
    s = substr(s, RSTART + RLENGTH)
  }
  return out s
}
function close_block() {
  if (block == "table") print "</tbody></table></div>"
  else if (block != "") print "</" block ">"
  block = ""
}
function open_block(kind) {
  if (block == kind) return 0
  close_block()
  block = kind
  print kind == "table" ? "<div class='wide'><table>" : "<" kind ">"
  return 1
}
function row(tag,    n, cells, i, line) {
  n = split($0, cells, "|")
  line = "<tr>"
  for (i = 2; i < n; i++) { gsub(/^ +| +$/, "", cells[i]); line = line "<" tag (align[i] ? " class='r'" : "") ">" spans(cells[i]) "</" tag ">" }
  print line "</tr>"
}
BEGIN {
  print "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>CrossAdapt</title><style>"
  print "body{font:15px/1.5 sans-serif;max-width:78em;margin:2em auto;padding:0 1em;color:#222}"
  print "h1,h2{line-height:1.2}h2{margin-top:2em;border-bottom:1px solid #ccc}.wide{overflow-x:auto}"
  print "table{border-collapse:collapse;font-size:13px}td,th{padding:.2em .6em;border-bottom:1px solid #ddd;text-align:left;white-space:nowrap}"
  print "td.r,th.r{text-align:right}img{max-width:100%}pre{background:#f4f4f4;padding:.6em;overflow-x:auto}figure{margin:1em 0}"
  print "</style></head><body>"
}
/^```/ { if (block == "pre") close_block(); else open_block("pre"); next }
block == "pre" { print escape($0); next }
/^\|/ {
  if (block != "table") { getline rule; n_rule = split(rule, mark, "|"); for (i = 2; i < n_rule; i++) align[i] = mark[i] ~ /:$/ && mark[i] !~ /^ *:/
    open_block("table"); printf "<thead>"; row("th"); print "</thead><tbody>"; next }
  row("td")
  next
}
/^!\[/ {
  close_block()
  match($0, /\]\(/)
  caption = substr($0, 3, RSTART - 3)
  file = substr($0, RSTART + 2); sub(/\)$/, "", file)
  command = "base64 -w 0 '" file "'"
  if ((command | getline data) <= 0) { print "html.awk: cannot read " file > "/dev/stderr"; exit 1 }
  close(command)
  print "<figure><img alt='" escape(caption) "' src='data:image/svg+xml;base64," data "'><figcaption>" spans(caption) "</figcaption></figure>"
  next
}
/^#+ / { close_block(); match($0, /^#+/); level = RLENGTH; print "<h" level ">" spans(substr($0, level + 2)) "</h" level ">"; next }
/^- / { open_block("ul"); print "<li>" spans(substr($0, 3)) "</li>"; next }
/^$/ { close_block(); next }
{ open_block("p"); print spans($0) }
END { close_block(); print "</body></html>" }
