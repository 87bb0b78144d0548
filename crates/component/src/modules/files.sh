# The modules for files and folders; `content` is a function that prints a file's new content.
fail() { printf '%s\n' "$*" >&2; exit 1; }
there() { [ -e "$1" ] || [ -L "$1" ]; }
parents() {
  p=${1%"${1##*/}"}
  [ -z "$p" ] || mkdir -p "$p" || exit 1
}
# Folders without which a system can't run: they are never replaced.
guard() {
  case $(cd -P "$1" 2>/dev/null && pwd) in
    / | /bin | /boot | /dev | /dev/* | /etc | /home | /lib | /lib64 | /opt | /proc | /proc/* | /root | /run | /sbin | /srv | /sys | /sys/* | /tmp | /usr | /usr/bin | /usr/lib | /usr/lib64 | /usr/local | /usr/sbin | /usr/share | /var | /var/lib | /var/log | /var/tmp)
      fail "\`$1\` is a system folder and is not replaced: set overwrite to false, or name a folder inside it" ;;
  esac
}
# PATH OWNER GROUP [-R]
own() {
  if [ -n "$2" ]; then
    case $2 in *[!0-9]*) id -u "$2" >/dev/null 2>&1 || fail "the machine has no user \`$2\`" ;; esac
    chown $4 "$2" "$1" || exit 1
  fi
  [ -z "$3" ] || chgrp $4 "$3" "$1" 2>/dev/null || fail "the machine has no group \`$3\`, or \`$1\` can't be given to it"
}
# FILE; reports a full disk as such, whatever the shell's own message is.
written() {
  case $(df -Pk "$1" 2>/dev/null | tail -n 1) in *" 100% "*) fail "\`$1\` could not be written: the disk is full" ;; esac
  fail "\`$1\` could not be written"
}
append_file() {
  [ -f "$1" ] || fail "no such file: \`$1\`"
  content >>"$1" || written "$1"
}
replace_content() {
  content >"$1" || written "$1"
}
# PATH OVERWRITE OWNER GROUP MODE
create_file() {
  [ -d "$1" ] && fail "\`$1\` is a folder"
  if there "$1" && [ "$2" = false ]; then fail "\`$1\` already exists, and overwrite is false"; fi
  parents "$1"
  content >"$1" || written "$1"
  own "$1" "$3" "$4"
  [ -z "$5" ] || chmod "$5" "$1" || exit 1
}
create_folder() {
  if there "$1"; then
    [ "$2" = false ] && fail "\`$1\` already exists, and overwrite is false"
    [ -d "$1" ] || fail "\`$1\` already exists and is not a folder"
    guard "$1"
    rm -rf "$1" || exit 1
  fi
  mkdir -p "$1" || exit 1
  own "$1" "$3" "$4"
  [ -z "$5" ] || chmod "$5" "$1" || exit 1
}
# PATH TARGET FORCE
create_symlink() {
  [ -e "$2" ] || fail "the link target \`$2\` does not exist"
  if [ -L "$1" ]; then
    [ "$3" = true ] || fail "the link \`$1\` already exists, and force is false"
    rm -f "$1" || exit 1
  elif [ -e "$1" ]; then
    fail "\`$1\` already exists and is not a link"
  fi
  parents "$1"
  case $2 in /*) target=$2 ;; *) target=$PWD/$2 ;; esac
  ln -s "$target" "$1" || exit 1
}
# PATTERN? FILE…
delete_file() {
  pattern=$1
  force=$2
  shift 2
  for f in "$@"; do
    if [ "$force" = true ] && ! there "$f"; then continue; fi
    if [ "$pattern" = true ]; then
      if [ -d "$f" ] && [ ! -L "$f" ] || ! there "$f"; then continue; fi
    fi
    there "$f" || fail "no such file: \`$f\`"
    [ -d "$f" ] && [ ! -L "$f" ] && fail "\`$f\` is a folder"
    rm -f "$f" || exit 1
  done
}
delete_folder() {
  [ -d "$1" ] || fail "no such folder: \`$1\`"
  if [ "$2" = true ]; then
    [ "$(cd -P "$1" && pwd)" != / ] || fail "\`$1\` is the root folder"
    rm -rf "$1" || exit 1
  else
    rmdir "$1" 2>/dev/null || fail "\`$1\` is not empty, and force is false"
  fi
}
# PATH PATTERN RECURSIVE
list_files() {
  [ -d "$1" ] || fail "no such folder: \`$1\`"
  case $1 in */) d=$1. ;; *) d=$1/. ;; esac
  if [ "$3" = true ]; then
    find "$d" -type f -name "$2"
  else
    find "$d" -maxdepth 1 -type f -name "$2"
  fi | sed 's|/\./|/|' | tr '\n' '\0'
}
read_file() {
  [ -f "$1" ] || fail "no such file: \`$1\`"
  cat "$1"
}
# The paths among the words that exist; a pattern without matches stands for itself.
sources() {
  found=0
  for f in "$@"; do
    case $f in */. | */..) continue ;; esac
    there "$f" && found=$((found + 1))
  done
  [ $found -gt 0 ] || fail "no such file: \`$1\`"
}
# copy|move OVERWRITE DESTINATION FILE…
transfer_file() {
  how=$1 overwrite=$2 to=$3
  shift 3
  sources "$@"
  case $to in
    */) mkdir -p "$to" || exit 1 ;;
    *)
      [ $found -eq 1 ] || fail "several files match, so \`$to\` has to be a folder: end it with a slash"
      parents "$to" ;;
  esac
  for f in "$@"; do
    case $f in */. | */..) continue ;; esac
    there "$f" || continue
    if [ -d "$f" ]; then
      [ $# -gt 1 ] && continue
      fail "\`$f\` is a folder"
    fi
    case $to in */) target=$to${f##*/} ;; *) target=$to ;; esac
    [ -d "$target" ] && fail "\`$target\` is a folder"
    if there "$target" && [ "$overwrite" = false ]; then fail "\`$target\` already exists, and overwrite is false"; fi
    if [ "$how" = move ]; then mv -f "$f" "$target"; else cp -f "$f" "$target"; fi || exit 1
  done
}
# copy|move OVERWRITE DESTINATION FOLDER…
transfer_folder() {
  how=$1 overwrite=$2 to=$3
  shift 3
  sources "$@"
  case $to in */) ;; *) [ $found -eq 1 ] || fail "several folders match, so \`$to\` has to end with a slash" ;; esac
  for f in "$@"; do
    f=${f%/}
    case $f in */. | */..) continue ;; esac
    there "$f" || continue
    if [ ! -d "$f" ]; then
      [ $# -gt 1 ] && continue
      fail "\`$f\` is not a folder"
    fi
    case $to in */) target=$to${f##*/} ;; *) target=$to ;; esac
    if there "$target"; then
      [ "$overwrite" = false ] && fail "\`$target\` already exists, and overwrite is false"
      guard "$target"
      case $(cd -P "$f" && pwd)/ in "$(cd -P "$target" 2>/dev/null && pwd)"/*) fail "\`$f\` is in \`$target\`, which would be replaced" ;; esac
      rm -rf "$target" || exit 1
    fi
    parents "$target"
    if [ "$how" = move ]; then mv "$f" "$target"; else cp -a "$f" "$target"; fi || exit 1
  done
}
# file|folder PATH OWNER GROUP RECURSIVE
set_owner() {
  kind "$1" "$2"
  group=$4
  if [ -z "$group" ]; then group=$(id -g "$3" 2>/dev/null); fi
  if [ "$5" = true ]; then own "$2" "$3" "$group" -R; else own "$2" "$3" "$group"; fi
}
# file|folder PATH MODE RECURSIVE
set_mode() {
  kind "$1" "$2"
  if [ "$4" = true ]; then chmod -R "$3" "$2"; else chmod "$3" "$2"; fi || exit 1
}
kind() {
  if [ "$1" = file ]; then
    [ -f "$2" ] || fail "no such file: \`$2\`"
  else
    [ -d "$2" ] || fail "no such folder: \`$2\`"
  fi
}
