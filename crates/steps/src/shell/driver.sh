# Starts the script that follows this text in the input: in its folder, as its user, with its environment and nothing
# on standard input. Needs: ami_bake_start, _token, _user, _folder, _words (a function that sets the command's words),
# _direct (the file itself is the program), _fallback (sh will do where there is no bash).
ami_bake_fail() {
  printf '%s %s\n' "$ami_bake_token" "$1" >&2
  exit 125
}

ami_bake_store=$ami_bake
if [ -n "$ami_bake_direct" ]; then
  # The kernel executes a program, so the folder must allow that: /run and /dev/shm often do not.
  ami_bake_store=
  for ami_bake_try in /dev/shm /run /var/tmp /tmp; do
    ami_bake_try=$(mktemp -d "$ami_bake_try/.ami-bake.XXXXXXXX" 2>/dev/null) || continue
    printf '#!/bin/sh\n' >"$ami_bake_try/probe" && chmod 0500 "$ami_bake_try/probe"
    if "$ami_bake_try/probe" 2>/dev/null; then
      ami_bake_store=$ami_bake_try
      break
    fi
    rm -rf "$ami_bake_try"
  done
  [ -n "$ami_bake_store" ] || ami_bake_fail noexec
fi
# From here on the script is an open file without a name: however it ends, nothing of it is left.
tail -c "+$ami_bake_start" "$ami_bake/in" >"$ami_bake_store/script" || ami_bake_fail space
chmod 0555 "$ami_bake_store/script"
exec 3<"$ami_bake_store/script"
rm -rf "$ami_bake" "$ami_bake_store"
trap - 0 1 2 15
umask 022
ami_bake_file=/dev/fd/3
[ -e "$ami_bake_file" ] || ami_bake_file=/proc/self/fd/3
[ -e "$ami_bake_file" ] || ami_bake_fail proc

ami_bake_account

cd "$ami_bake_folder" 2>/dev/null || ami_bake_fail folder

ami_bake_words
if [ -n "$ami_bake_fallback" ] && ! command -v bash >/dev/null 2>&1; then
  set -- sh -eu "$ami_bake_file"
fi
ami_bake_program=$1
if [ "$ami_bake_uid" != "$(id -u)" ]; then
  # setpriv replaces itself with the script, so that a signal is reported as one; the other tools stay in between.
  if setpriv --help 2>/dev/null | grep -q init-groups; then
    set -- "$(command -v setpriv)" --reuid "$ami_bake_uid" --regid "$ami_bake_gid" --init-groups -- "$@"
  elif command -v runuser >/dev/null 2>&1; then
    set -- "$(command -v runuser)" -u "$USER" -- "$@"
  elif command -v su >/dev/null 2>&1; then
    set -- "$(command -v su)" -s /bin/sh -c 'exec "$0" "$@"' -- "$USER" "$@"
  else
    ami_bake_fail switch
  fi
fi
