#!/usr/bin/env bash
# Every way in which a target can end, and what count_cases.awk makes of it.
set -euo pipefail

awk_program="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/count_cases.awk"
scratch="${TEST_TMPDIR}/with space"
mkdir -p "${scratch}"
events="${scratch}/events.json"

configured() {
  echo "{\"id\":{\"targetConfigured\":{\"label\":\"$1\"}},\"configured\":{\"testSize\":\"SMALL\"}}"
}

# Bazel mentions the next attempt before the result of this one.
result() {
  local label="$1" attempt="$2" status="$3" xml="$4"
  echo "{\"id\":{\"testResult\":{\"label\":\"${label}\",\"run\":1,\"attempt\":${attempt},\"configuration\":{\"id\":\"c\"}}},\"children\":[{\"testResult\":{\"label\":\"${label}\"}}],\"testResult\":{\"testActionOutput\":[{\"name\":\"test.log\",\"uri\":\"file:///nowhere\"},{\"name\":\"test.xml\",\"uri\":\"file://${xml// /%20}\"}],\"status\":\"${status}\"}}"
}

expect() {
  local behaviour="$1" expected="$2" actual
  actual="$(LC_ALL=C awk -f "${awk_program}" "${events}")"
  if [[ "${actual}" != "${expected}" ]]; then
    echo "${behaviour}: expected '${expected}', got '${actual}'" >&2
    exit 1
  fi
}

: >"${events}"
expect "no event, no case" "0 0 0"

cat >"${scratch}/mixed.xml" <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="4" failures="1" name="AllTests">
  <testsuite name="A" tests="4">
    <testcase name="Good" status="run" result="completed" classname="A" />
    <testcase name="Bad" status="run" result="completed" classname="A">
      <failure message="one &lt;testcase&gt;" type=""><![CDATA[one
<testcase name="printed by the test" status="run">
]]></failure>
      <failure message="two" type=""><![CDATA[two]]></failure>
    </testcase>
    <testcase name="Skipped" status="run" result="skipped" classname="A">
      <skipped message="no reason"><![CDATA[<failure no reason]]></skipped>
    </testcase>
    <testcase name="DISABLED_Off" status="notrun" result="suppressed" classname="A" />
  </testsuite>
</testsuites>
XML
result //:mixed 1 FAILED "${scratch}/mixed.xml" >"${events}"
expect "a failed case counts once, and printed tags not at all" "1 1 2"

cat >"${scratch}/good.xml" <<'XML'
<testsuites>
  <testsuite name="good" tests="1" failures="0" errors="0">
    <testcase name="good" status="run" duration="0" time="0"></testcase>
  </testsuite>
</testsuites>
XML
result //:exit 1 FAILED "${scratch}/good.xml" >"${events}"
expect "a target that fails after its cases passed is a failure" "1 1 0"

result //:lost 1 TIMEOUT "${scratch}/missing.xml" >"${events}"
expect "a target without test.xml is a failure" "0 1 0"

{
  result //:flaky 1 FAILED "${scratch}/mixed.xml"
  result //:flaky 2 PASSED "${scratch}/good.xml"
} >"${events}"
expect "the last attempt counts" "1 0 0"

{
  configured //:broken
  configured //:filtered
  echo '{"id":{"targetCompleted":{"label":"//:broken"}},"completed":{"failureDetail":{"message":"no"}}}'
  echo '{"id":{"targetCompleted":{"label":"//:filtered"}},"completed":{"success":true}}'
  echo '{"id":{"targetCompleted":{"label":"//:library"}},"completed":{"failureDetail":{"message":"no"}}}'
} >"${events}"
expect "a test that does not build is a failure, one filtered out is not" "0 1 0"
