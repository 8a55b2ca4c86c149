# Counts test cases: prints "PASSED FAILED SKIPPED".
#
#   LC_ALL=C awk -f count_cases.awk EVENTS
#
# EVENTS is what `bazel test --build_event_json_file` writes: one JSON object a
# line, the keys always in the same order. It names the test.xml of every test of
# that very run, so that nothing left over from an earlier run is counted.
#
# Within a test.xml the cases are what counts, save in two situations in which a
# target counts as one failure more: it did not build, or it failed although none
# of its cases did (a sanitizer's report at exit, for one).

# The value of the first "name":"value" at or after `from`.
function value(line, name, from,    rest) {
  rest = substr(line, from)
  if (!match(rest, "\"" name "\":\"[^\"]*\"")) return ""
  return substr(rest, RSTART + length(name) + 4, RLENGTH - length(name) - 5)
}

# The path that a file:// URI stands for.
function path_of(uri,    decoded, at) {
  sub(/^file:\/\//, "", uri)
  while (match(uri, /%[0-9A-F][0-9A-F]/)) {
    at = RSTART
    decoded = decoded substr(uri, 1, at - 1) sprintf("%c", \
        16 * (index("0123456789ABCDEF", substr(uri, at + 1, 1)) - 1) + \
        index("0123456789ABCDEF", substr(uri, at + 2, 1)) - 1)
    uri = substr(uri, at + 3)
  }
  return decoded uri
}

function end_case() {
  if (outcome != "") ++cases[outcome]
  outcome = ""
}

# Adds the cases of one test.xml to cases[]. A record is what stands between two
# "<": a tag with the text after it. What a test printed is in CDATA sections,
# and may look like tags.
function count_xml(path,    saved, in_cdata) {
  saved = RS
  RS = "<"
  in_cdata = 0
  while ((getline tag < path) > 0) {
    if (tag ~ /^!\[CDATA\[/) in_cdata = 1
    if (in_cdata) {
      if (tag ~ /\]\]>/) in_cdata = 0
    } else if (tag ~ /^testcase[ >]/) {
      end_case()
      outcome = tag ~ /status="notrun"|result="skipped"/ ? "skipped" : "passed"
    } else if (tag ~ /^(failure|error)[ >]/ && outcome != "") {
      outcome = "failed"
    }
  }
  end_case()
  close(path)
  RS = saved
}

/^\{"id":\{"targetConfigured":/ && /"testSize":/ {
  is_test[value($0, "label", 1)] = 1
}

/^\{"id":\{"targetCompleted":/ && !/"completed":\{"success":true/ {
  if (value($0, "label", 1) in is_test) ++cases["failed"]
}

# A flaky test has a result for each attempt; the last is the one that counts.
/^\{"id":\{"testResult":/ {
  match($0, /^\{"id":\{"testResult":\{[^{}]*/)
  key = substr($0, 1, RLENGTH)
  sub(/"attempt":[0-9]+/, "", key)
  from = index($0, "},\"testResult\":")
  status[key] = value($0, "status", from)
  xml[key] = ""
  if (match($0, /"name":"test\.xml","uri":"[^"]*"/)) {
    xml[key] = path_of(value($0, "uri", RSTART))
  }
}

END {
  for (key in status) {
    failed_before = cases["failed"]
    if (xml[key] != "") count_xml(xml[key])
    if (status[key] != "PASSED" && cases["failed"] == failed_before) {
      ++cases["failed"]
    }
  }
  printf "%d %d %d\n", cases["passed"], cases["failed"], cases["skipped"]
}
