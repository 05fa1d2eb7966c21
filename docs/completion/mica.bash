# SPDX-License-Identifier: MIT
# bash completion for mica and the names it is also installed under. Verbs and
# options are read from --help, so that they are always those of the program.

# Verbs of "mica --help", one a line.
_mica_verbs() {
  "$1" --help 2>/dev/null | awk '/^Verbs:/ { on = 1; next } on && !NF { exit } on { print $1 }'
}

# Options of "$@ --help", one a line, each with its argument: "-C", "--cluster=SIZE".
_mica_options() {
  "$@" --help 2>/dev/null | awk '/^  (-|    --)/ {
    sub(/^ +/, "")
    sub(/  .*/, "")
    n = split($0, forms, ", ")
    for (i = 1; i <= n; i++)
      print forms[i]
  }'
}

# The values of option $1 where they are words and not the user's to make up.
_mica_values() {
  case $1 in
    --compress | -z) echo zstd lz4 lz4hc deflate lzma none ;;
    --compat) echo 5.15 6.1 6.12 6.15 6.17 ;;
    --progress) echo auto always never ;;
    --whiteouts) echo trusted user ;;
  esac
}

_mica_reply() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_mica() {
  local program=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} prev=
  local -a command=("$program")

  COMPREPLY=()
  ((COMP_CWORD > 0)) && prev=${COMP_WORDS[COMP_CWORD - 1]}
  if [[ ${program##*/} == mica ]]; then
    if ((COMP_CWORD == 1)); then
      _mica_reply "$(_mica_verbs "$program") --help --version" "$cur"
      return
    fi
    command+=("${COMP_WORDS[1]}")
  fi
  # bash splits words at "=": --name = value
  if [[ $cur == = && $prev == --* ]]; then
    _mica_reply "$(_mica_values "$prev")" ""
  elif [[ $prev == = ]]; then
    _mica_reply "$(_mica_values "${COMP_WORDS[COMP_CWORD - 2]}")" "$cur"
  elif [[ $cur == -* ]]; then
    _mica_reply "$(_mica_options "${command[@]}" | sed 's/\[\{0,1\}=.*/=/; s/ .*//')" "$cur"
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then
      compopt -o nospace
    fi
  else
    _mica_reply "$(_mica_values "$prev")" "$cur"
  fi
}

complete -o default -o bashdefault -F _mica mica mkfs.mica fsck.mica mount.mica mica-fuse-overlayfs
