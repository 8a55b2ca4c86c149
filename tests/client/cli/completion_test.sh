#!/usr/bin/env bash
# Completion of warmpool's command lines, as bash asks for it.
set -euo pipefail

# shellcheck source=/dev/null
source client/cli/warmpool.bash
failures=0

# completes LINE WORD...: the words that bash would offer where LINE ends, all
# those given among them; "!WORD": not that one.
completes() {
  local line="$1" word
  shift
  COMP_LINE="${line}"
  read -r -a COMP_WORDS <<<"${line}"
  [[ "${line}" == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _warmpool client/warmpool "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
  for word in "$@"; do
    if [[ "${word}" == !* ]]; then
      [[ " ${COMPREPLY[*]} " != *" ${word#!} "* ]] && continue
    else
      [[ " ${COMPREPLY[*]} " == *" ${word} "* ]] && continue
    fi
    echo "\"${line}\" offers \"${COMPREPLY[*]}\": ${word} was to be told from that"
    failures=$((failures + 1))
  done
}

completes "warmpool " stats top list trim help
completes "warmpool st" stats !top
completes "warmpool help to" top
completes "warmpool list --" --sort= --holder= --target= --json --help !--order=
completes "warmpool list --so" --sort= !--json
completes "warmpool stats --j" --json
completes "warmpool --ta" --target=
completes "warmpool nothing --" --help

((failures == 0))
