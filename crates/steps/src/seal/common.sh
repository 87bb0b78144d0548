# What both parts of the seal need. Needs: keep_* (set or empty).
# The connection that runs this lives on: nothing it holds open is closed, and no new login is needed after it.
export LC_ALL=C
set +e

count=0
# gone WHAT PATH…: removes and counts; a path that stays is reported.
gone() {
  what=$1
  shift
  for path in "$@"; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    if rm -rf "$path" 2>/dev/null; then count=$((count + 1)); else printf 'failed\t%s (%s)\n' "$path" "$what"; fi
  done
}
# removed NAME: records that something was removed since the last time. removed ONE MANY: how many.
removed() {
  if [ "$count" -eq 0 ]; then return; fi
  if [ -z "${2-}" ]; then
    printf 'removed\t%s\n' "$1"
  elif [ "$count" -eq 1 ]; then
    printf 'removed\t1 %s\n' "$1"
  else
    printf 'removed\t%s %s\n' "$count" "$2"
  fi
  count=0
}
# is_a_disk: whether the root is one; an overlay is made of files.
is_a_disk() {
  root=
  while read -r _ mount type _; do
    [ "$mount" = / ] && root=$type
  done </proc/mounts
  [ "$root" != overlay ]
}
homes() {
  { getent passwd 2>/dev/null || cat /etc/passwd; } | cut -d: -f6
  echo /root
  for home in /home/*; do [ -d "$home" ] && echo "$home"; done
}
all_homes=$(homes | sort -u)

# Running services keep their files open, so logs are emptied; rotated ones are deleted. The journal continues in
# memory.
empty_logs() {
  if [ -n "$keep_logs" ] || ! [ -d /var/log ]; then return; fi
  if [ -d /run/systemd/system ]; then
    journalctl --relinquish-var >/dev/null 2>&1
    systemctl stop syslog.socket rsyslog.service >/dev/null 2>&1
  fi
  gone 'journal' /var/log/journal/*
  find /var/log -xdev -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.zst' -o -name '*.bz2' -o -name '*.old' -o -name '*.[0-9]' -o -name '*-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]' \) -delete 2>/dev/null
  count=$((count + $(find /var/log -xdev -type f -size +0c 2>/dev/null | wc -l)))
  find /var/log -xdev -type f -size +0c -exec sh -c 'for file; do : >"$file"; done' sh {} + 2>/dev/null
}

