#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a newcomer reads is what the program does: --help, manual pages, README,
# completion and what "meson install" puts where.

load helpers

verbs() {
  "$MICA" --help | awk '/^Verbs:/ { on = 1; next } on && !NF { exit } on { print $1 }'
}

# The left column of the option rows of a --help, one option a line: "-z, --compress=ALG[:LEVEL]"
help_options() {
  "$MICA" "$1" --help | sed -n 's/^ \{2,6\}\(-.*\)/\1/p' | sed 's/  .*//' | sort
}

# The same from a manual page's source: "*-z*, *--compress*=_ALG[:LEVEL]_"
page_options() {
  awk '/^# / { on = $2 == "OPTIONS" } on && /^\*-/' "$ROOT/docs/man/mica-$1.1.scd" |
    sed 's/[*_\\]//g' | sort
}

# A section of a manual page's source: page_section PAGE NAME
page_section() {
  awk -v name="# $2" '/^# / { on = $0 == name; next } on' "$ROOT/docs/man/$1.1.scd"
}

# What the examples take for granted: rootfs/, base.tar, layer.tar, image.erofs, mnt/
prepare_inputs() {
  mkdir -p mnt rootfs/etc rootfs/usr/bin layer/etc layer/srv
  text 300000 >rootfs/usr/bin/tool
  chmod 4755 rootfs/usr/bin/tool
  echo sample >rootfs/etc/hostname
  echo old >rootfs/etc/obsolete
  ln -s tool rootfs/usr/bin/alias
  text 50000 2 >layer/srv/data
  touch layer/etc/.wh.obsolete
  tar_of rootfs base.tar
  tar_of layer layer.tar
  rm -r layer
  echo 'l = Layout("layout"); l.add(l.manifest([l.layer(tar(file="x"))]), "v1"); d = Docker("saved.tar")
d.image([tar(file="x")]); d.end()' | python_layout
  "$MICA" mkimage --quiet image.erofs base.tar
}

# Runs each *.sh of the directory $1 in a directory of its own, with the inputs at hand.
run_examples() {
  local script count=0 bin=$PWD/bin

  mkdir bin inputs
  for name in mica mkfs.mica fsck.mica mount.mica; do
    ln -s "$MICA" "bin/$name"
  done
  (cd inputs && prepare_inputs)
  for script in "$1"/*.sh; do
    count=$((count + 1))
    cp -a inputs "run.$count"
    echo "$PWD/run.$count/mnt" >>"$(mounts_file)"
    (cd "run.$count" && PATH=$bin:$PATH bash -euo pipefail "../$script") \
      >"run.$count.log" 2>&1 ||
      fail "example fails: $(cat "$script")" "$(cat "run.$count.log")"
    ! mountpoint -q "run.$count/mnt" || fail "example leaves a mount: $(cat "$script")"
  done
  [ $count -gt 0 ] || fail "there is no example"
}

# The blocks behind "; run" lines of a manual page, as files $2/NN.sh. Blocks that are no
# commands stand behind "; text".
page_examples() {
  mkdir "$2"
  awk -v dir="$2" '
    /^; run$/ { wanted = 1; next }
    /^; text$/ { text = 1; next }
    /^```/ {
      if (inside) { inside = 0; close(file) }
      else if (text) { text++; if (text == 3) text = 0 }
      else if (wanted) { inside = 1; wanted = 0; file = sprintf("%s/%02d.sh", dir, ++n) }
      else { print "line " NR ": a block that is not run" > "/dev/stderr"; bad = 1 }
      next
    }
    inside { print > file }
    END { exit bad }' "$ROOT/docs/man/$1.1.scd"
}

run_page_examples() {
  require_root
  require_fuse
  page_examples "$1" examples
  run_examples examples
}

@test "--help: exit status 0, all on standard output, at most 80 columns" {
  local verb

  for verb in "" $(verbs); do
    # shellcheck disable=SC2086 # no verb at all is one case
    run --separate-stderr "$MICA" $verb --help
    assert_status 0
    assert_equal "$stderr" ""
    assert_has "Usage: mica ${verb:-VERB}" "$output"
    assert_equal "$(awk 'length > 80' <<<"$output")" ""
    # shellcheck disable=SC2086
    assert_equal "$("$MICA" $verb -h)" "$output"
  done
  [ "$(verbs | wc -l)" -ge 6 ]
}

@test "errors go to standard error with a status that is not 0" {
  local verb arguments

  for verb in "" nonsense $(verbs); do
    for arguments in "" --no-such-option -%; do
      # it wants none
      [ "$verb$arguments" != status ] || continue
      # shellcheck disable=SC2086
      run --separate-stderr "$MICA" $verb $arguments </dev/null
      [ "$status" -ne 0 ] && [ "$status" -lt 126 ] || fail "mica $verb $arguments: $status"
      assert_equal "$output" ""
      [ -n "$stderr" ] || fail "mica $verb $arguments says nothing"
    done
  done
}

@test "what was asked for and cannot be written is an error" {
  local command

  echo data >file
  tar -cf layer.tar file
  mkimage image layer.tar
  while read -r command; do
    for how in '>/dev/full' '>&-'; do
      # shellcheck disable=SC2086 # several words
      run --separate-stderr bash -c '"$0" "$@" '"$how" "$MICA" $command
      [ "$status" -ne 0 ] && [ "$status" -lt 126 ] || fail "mica $command $how: $status"
      assert_equal "$(grep -c 'cannot write' <<<"$stderr")" 1
    done
  done <<'T'
--help
--version
fsck --help
fsck image
fsck --json image
dump image
dump --ls image
dump --json image
extract --tar image
extract -v image -C out
mkimage --json other layer.tar
T
}

@test "every option of --help is in its manual page, and the other way round" {
  local verb

  for verb in $(verbs); do
    diff <(help_options "$verb") <(page_options "$verb") >&2 ||
      fail "mica $verb --help (<) and docs/man/mica-$verb.1.scd (>) differ"
    [ -n "$(page_options "$verb")" ]
  done
}

@test "every manual page has its sections, and the synopsis of --help" {
  local verb section

  for verb in $(verbs); do
    for section in NAME SYNOPSIS DESCRIPTION OPTIONS "EXIT STATUS" EXAMPLES "SEE ALSO"; do
      [ -n "$(page_section "mica-$verb" "$section")" ] || fail "mica-$verb.1 has no $section"
    done
    assert_equal "$(page_section "mica-$verb" SYNOPSIS | sed -n '2{s/[*_]//g;s/++$//;p}')" \
      "$("$MICA" "$verb" --help | sed -n '1s/^Usage: //p')"
  done
}

@test "mica(1) and the README list the verbs of --help" {
  local listed

  listed=$("$MICA" --help | awk '/^Verbs:/ { on = 1; next } on && !NF { exit } on' |
    sed 's/^  \([a-z]*\) */\1: /')
  # shellcheck disable=SC2016 # the back quotes are Markdown's
  assert_equal "$(sed -n 's/^| `mica \([a-z]*\)` | \(.*\) |$/\1: \2/p' "$ROOT/README.md")" "$listed"
  assert_equal "$(page_section mica VERBS | sed -n 's/^\*\([a-z]*\)\*$/\1/p')" "$(verbs)"
}

@test "the examples of mica(1) run" {
  run_page_examples mica
}

@test "the examples of mica-mkimage(1) run" {
  run_page_examples mica-mkimage
}

@test "the examples of mica-mount(1) run" {
  run_page_examples mica-mount
}

@test "the examples of mica-umount(1) run" {
  run_page_examples mica-umount
}

@test "the examples of mica-status(1) run" {
  run_page_examples mica-status
}

@test "the examples of mica-fsck(1) run" {
  run_page_examples mica-fsck
}

@test "the examples of mica-dump(1) run" {
  run_page_examples mica-dump
}

@test "the examples of mica-extract(1) run" {
  run_page_examples mica-extract
}

@test "the examples of the README run" {
  require_root
  require_fuse
  require_erofs
  mkdir examples
  awk '/^```/ {
    if (inside) { inside = 0; close(file) }
    else if ($0 == "```sh") { inside = 1; file = sprintf("examples/%02d.sh", ++n) }
    next
  }
  inside { print > file }' "$ROOT/README.md"
  run_examples examples
}

# Blocks with prompts change the machine; each is run by a test of its own.
@test "the README's other commands are those that other tests run" {
  local command

  awk '/^```/ { on = $0 == "```console"; next } on' "$ROOT/README.md" | sed 's/^[$#] //' >commands
  while read -r command; do
    case $command in
      "sudo ./examples/quickstart.sh [TARBALL]") [ -x "$ROOT/examples/quickstart.sh" ] ;;
      "sudo ./tests/run.sh") [ -x "$ROOT/tests/run.sh" ] ;;
      "meson setup build --prefix=/usr" | "ninja -C build" | "sudo meson install -C build") ;;
      "sudo apt-get install "*) ;;
      *) fail "not known to a test: $command" ;;
    esac
  done <commands
  [ "$(wc -l <commands)" -ge 5 ]
}

@test "the packages that the README names are those that the quickstart installs for a build" {
  local named

  named=$(sed -n 's/^. sudo apt-get install//p' "$ROOT/README.md" | xargs -n 1 | sort)
  assert_equal "$named" "$("$ROOT/tests/install.sh" --list build | sort)"
}

installed() {
  meson install --no-rebuild --quiet -C "$(dirname "$MICA")" --destdir "$PWD/dest" >install.log ||
    fail "$(cat install.log)"
  # the prefix of that build directory
  prefix=$(cd dest && dirname "$(dirname "$(find . -name mica -path '*/bin/mica')")")
  prefix=$PWD/dest/$prefix
}

@test "meson install: program, names, completion and pkg-config file are in place and work" {
  local name

  require_command meson
  installed
  [ -x "$prefix/bin/mica" ]
  for name in mkfs.mica:mkimage fsck.mica:fsck mount.mica:mount; do
    [ -L "$prefix/sbin/${name%:*}" ]
    assert_equal "$("$prefix/sbin/${name%:*}" --help | head -1 | cut -d' ' -f1-3)" \
      "Usage: mica ${name#*:}"
    [ -e "$prefix/share/bash-completion/completions/${name%:*}" ]
  done
  cmp "$prefix/share/bash-completion/completions/mica" "$ROOT/docs/completion/mica.bash"
  echo data >file
  tar -cf layer.tar file
  "$prefix/sbin/mkfs.mica" --quiet image.erofs layer.tar
  "$prefix/sbin/fsck.mica" image.erofs
}

@test "a program that was moved without its module says what is missing" {
  mkdir alone
  cp "$MICA" alone
  [[ $(alone/mica --version) == "mica "* ]]
  alone/mica umount --help >/dev/null
  run alone/mica fsck --help
  assert_status 1
  assert_has "mica: a part of the program cannot be loaded: "
  assert_has "/mica-verbs.so: cannot open shared object file"
  # a module of another version
  sed "s/\<$("$MICA" --version | cut -d' ' -f2)\>/9.9.9/g" "$(dirname "$MICA")/mica-verbs.so" \
    >alone/mica-verbs.so
  run alone/mica fsck --help
  assert_status 1
  assert_has "version 9.9.9 of its part $PWD/alone/mica-verbs.so"
}

@test "mounting loads none of the libraries that only building needs" {
  local lib

  require_command ldd
  # shellcheck disable=SC2013 # no blanks
  for lib in archive crypto jansson; do
    ldd "$(dirname "$MICA")/mica-verbs.so" | grep -q "lib$lib"
    run ! grep "lib$lib" <(ldd "$MICA")
  done
}

@test "meson install: pkg-config finds the program and its version" {
  require_command meson pkg-config
  installed
  PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name mica.pc)")
  export PKG_CONFIG_PATH
  assert_equal "mica $(pkg-config --modversion mica)" "$("$MICA" --version)"
  [ -x "$PWD/dest$(pkg-config --variable=mica mica)" ]
  [ -x "$PWD/dest$(pkg-config --variable=mount_helper mica)" ]
}

@test "meson install: a manual page for every verb and name" {
  local page

  require_command meson scdoc
  installed
  for page in man1/mica.1 man8/{mkfs,fsck,mount}.mica.8 $(verbs | sed 's|.*|man1/mica-&.1|'); do
    grep -q '^\.TH "mica' "$prefix/share/man/$page" || fail "$page"
  done
}

@test "mount -t mica: mount(8) finds the installed mount.mica" {
  require_root
  require_fuse
  require_command meson
  installed
  mkdir mnt tree
  echo content >tree/file
  mkimage image.erofs tree
  # as installed with --prefix=/usr, for this test's processes alone
  # shellcheck disable=SC2016 # expanded by the inner shell
  unshare -m --propagation private bash -ec '
    for dir in /usr/bin "$(realpath /sbin)"; do
      mount -t overlay overlay -o "lowerdir=$1/${dir##*/}:$dir" "$dir"
    done
    mount -t mica image.erofs mnt
    cat mnt/file
    umount mnt' - "$prefix" >out
  assert_equal "$(cat out)" content
}

# complete WORD...: what bash offers for the last word
complete() {
  bash -c '
    compopt() { :; }
    source "$1"
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _mica
    printf "%s\n" "${COMPREPLY[@]}"' - "$ROOT/docs/completion/mica.bash" "$@"
}

@test "completion offers the verbs, and for each verb all its options" {
  local verb

  assert_equal "$(complete "$MICA" "" | sort)" "$({ verbs; echo --help; echo --version; } | sort)"
  assert_equal "$(complete "$MICA" mk)" mkimage
  for verb in $(verbs); do
    assert_equal "$(complete "$MICA" "$verb" - | sort)" \
      "$(help_options "$verb" | sed 's/, /\n/' | sed 's/ .*//; s/\[\{0,1\}=.*/=/' | sort)"
  done
}

@test "completion knows the other names, and values that mkimage takes" {
  local value

  ln -s "$MICA" mkfs.mica
  assert_equal "$(complete ./mkfs.mica --compress-)" "--compress-rule="
  assert_equal "$(complete "$MICA" mkimage --progress = ne)" never
  mkdir tree
  for option in --compress --compat --progress; do
    for value in $(complete ./mkfs.mica "$option" =); do
      "$MICA" mkimage --quiet --compat 6.12 "$option=$value" image.erofs tree
    done
    [ -n "$value" ]
    assert_equal "$(complete ./mkfs.mica "$option" "")" "$(complete ./mkfs.mica "$option" =)"
  done
}
