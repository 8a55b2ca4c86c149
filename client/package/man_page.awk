# Turns what a program's --help prints into a manual page. It knows both shapes of
# flags: "  --flag=default" above its text, and Abseil's "    --flag (text);
# default: value;".
#
#   awk -v name=warmpool -v section=1 -v version=0.1.0 -v summary=... \
#     -f man_page.awk HELP...
#
# Each HELP is one text; one that begins with "NAME COMMAND: summary" becomes a
# section of its own.

function escaped(text) {
  gsub(/\\/, "\\e", text)
  gsub(/-/, "\\-", text)
  if (text ~ /^[.']/) text = "\\&" text
  return text
}

function end_example() {
  if (in_example) print ".EE"
  in_example = 0
}

# The flags of each command end in those of all commands, which are told once.
function flag(text) {
  end_example()
  print ".TP"
  print ".B " escaped(text)
}

function end_abseil_flag() {
  if (abseil == "") return
  split_at = index(abseil, " (")
  body = substr(abseil, split_at + 2)
  value = ""
  if (match(body, /\); default: /)) {
    value = substr(body, RSTART + RLENGTH)
    body = substr(body, 1, RSTART - 1)
  }
  sub(/;$/, "", value)
  gsub(/^"|"$/, "", value)
  flag(substr(abseil, 1, split_at - 1) (value == "" ? "" : "=" value))
  print escaped(body)
  abseil = ""
}

BEGIN {
  printf ".TH %s %s \"\" \"Warmpool %s\" \"Warmpool\"\n", toupper(name), section, version
  print ".SH NAME"
  print escaped(name) " \\- " escaped(summary)
}

FNR == 1 {
  end_abseil_flag()
  end_example()
  sub("^" name ": ", "")
  if (match($0, "^" name " [a-z-]+")) {
    if (!commands++) print ".SH COMMANDS IN FULL"
    title = $0
    sub(/: .*/, "", title)
    told = $0
    sub(/^[^:]*: /, "", told)
    print ".SS " escaped(title)
    print escaped(toupper(substr(told, 1, 1)) substr(told, 2)) "."
    next
  }
  print ".SH DESCRIPTION"
  $0 = toupper(substr($0, 1, 1)) substr($0, 2)
}

/^Flags of all commands:$/ || /^Commands:$/ || /^Flags:$/ || /^Exit codes:$/ {
  end_example()
  heading = $0
  sub(/:$/, "", heading)
  if (!commands) print ".SH " toupper(heading)
  # A table of names and summaries follows.
  in_table = heading == "Commands" || heading == "Exit codes"
  next
}
/^  Flags from / { end_example(); print ".SH FLAGS"; next }
/^Try --helpfull/ { over = 1 }
over { next }

/^    --/ { end_abseil_flag(); abseil = substr($0, 5); next }
abseil != "" && /^      / { sub(/^ +/, " "); abseil = abseil $0; next }
{ end_abseil_flag() }

/^  --/ {
  skipped = commands && $0 ~ /^  --(target|deadline|json)(=|$)/
  if (!skipped) flag(substr($0, 3))
  next
}
/^      / { sub(/^ +/, ""); if (!skipped) print escaped($0); next }
in_table && /^  [a-z0-9]/ {
  print ".TP"
  print ".B " escaped($1)
  line = $0
  sub(/^  [^ ]+ +/, "", line)
  print escaped(line)
  next
}
/^  / {
  if (!in_example) print ".EX"
  in_example = 1
  print escaped($0)
  next
}
/^$/ { end_example(); in_table = 0; print ".PP"; next }
{ end_example(); print escaped($0) }

END {
  end_abseil_flag()
  end_example()
  if (see_also != "") {
    print ".SH SEE ALSO"
    print escaped(see_also)
  }
}
