# Completion of warmpool's command lines, for bash. It asks the tool itself, so it
# knows what that knows.

_warmpool() {
  local tool="$1" current="$2" command="" word
  COMPREPLY=()
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ "${word}" != -* && "${word}" != = && "${word}" != help ]]; then
      command="${word}"
      break
    fi
  done
  if [[ "${current}" == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(
      "${tool}" help ${command:+"${command}"} 2>/dev/null |
        awk '/^  --[a-z_]*=false$/ { sub(/=.*/, ""); print $1; next }
             /^  --/ { sub(/=.*/, ""); print $1 "=" }
             END { print "--help" }')" -- "${current}")
    # A value follows at once.
    [[ "${#COMPREPLY[@]}" == 1 && "${COMPREPLY[0]}" == *= ]] && compopt -o nospace 2>/dev/null || true
  elif [[ -z "${command}" ]]; then
    mapfile -t COMPREPLY < <(compgen -W "help $(
      "${tool}" --help 2>/dev/null |
        awk '/^Commands:$/ { on = 1; next } /^$/ { on = 0 } on { print $1 }')" -- "${current}")
  elif [[ "${command}" == release ]]; then
    # The ids of the leases there are.
    local target=""
    [[ "${COMP_LINE}" =~ --target=[^\ ]+ ]] && target="${BASH_REMATCH[0]}"
    mapfile -t COMPREPLY < <(compgen -W "$(
      "${tool}" list --deadline=1s ${target:+"${target}"} 2>/dev/null |
        awk 'NR > 1 && $NF ~ /^[0-9a-f]+$/ && length($NF) == 32 { print $NF }')" -- "${current}")
  fi
  return 0
}

complete -F _warmpool warmpool
