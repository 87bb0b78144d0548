# Takes out what must not be in an image. Needs: authorized_keys, login_files (functions), keep_* (set or empty).
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
# removed NAME: something was removed since the last time. removed ONE MANY: how many.
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
homes() {
  { getent passwd 2>/dev/null || cat /etc/passwd; } | cut -d: -f6
  echo /root
  for home in /home/*; do [ -d "$home" ] && echo "$home"; done
}
all_homes=$(homes | sort -u)

# The bake's own keys: the lines with exactly them, whatever options stand before.
keys=$(authorized_keys)
if [ -n "$keys" ]; then
  for file in $(printf '%s\n' "$all_homes" | sed 's|/*$|/.ssh/authorized_keys|; p; s|$|2|') /etc/ssh/authorized_keys/* /etc/ssh/authorized_keys.d/*; do
    [ -f "$file" ] || continue
    found=$(printf '%s\n' "$keys" | grep -cF -f - "$file")
    [ "$found" -gt 0 ] || continue
    # Written through the same file, so that owner, mode and label stay.
    rest=$(printf '%s\n' "$keys" | grep -vF -f - "$file")
    if [ -n "$rest" ]; then printf '%s\n' "$rest" >"$file"; else : >"$file"; fi || printf 'failed\t%s\n' "$file"
    count=$((count + found))
  done
  removed 'authorized key' 'authorized keys'
fi
login_files
removed 'file of the bake' 'files of the bake'

if [ -z "$keep_host_keys" ]; then
  gone 'host keys' /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub /etc/ssh/ssh_host_*_key-cert.pub /etc/dropbear/dropbear_*_host_key
  if [ "$count" -gt 0 ] && ! command -v cloud-init >/dev/null 2>&1 && [ ! -e /usr/lib/systemd/system/sshd-keygen@.service ] &&
    [ ! -e /lib/systemd/system/ssh-keygen.service ] && [ ! -e /etc/init.d/sshd ]; then
    printf 'warn\thost-keys\n'
  fi
  removed 'SSH host key file' 'SSH host key files'
fi

# As `cloud-init clean`: the next boot is a first one. Seeds and scripts of the image's author stay.
gone 'cloud-init state' /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/data /var/lib/cloud/sem
removed 'cloud-init state'

# Emptied, not deleted: a missing one means first boot to systemd (machine-id(5)).
if [ -z "$keep_machine_id" ]; then
  if [ -s /etc/machine-id ]; then
    if : >/etc/machine-id; then count=1; else printf 'failed\t/etc/machine-id\n'; fi
  fi
  [ -L /var/lib/dbus/machine-id ] || gone 'machine id' /var/lib/dbus/machine-id
  removed 'the machine id'
fi

# A stopped service doesn't write its seed again when the machine goes down.
if [ -d /run/systemd/system ]; then
  systemctl stop systemd-random-seed.service >/dev/null 2>&1
fi
gone 'random seed' /var/lib/systemd/random-seed /var/lib/urandom/random-seed /var/lib/misc/random-seed /var/lib/seedrng
removed 'the random seed'

gone 'DHCP leases' /var/lib/dhcp/*.lease* /var/lib/dhclient/* /var/lib/dhcpcd/*.lease* /var/lib/udhcpc/* \
  /var/lib/NetworkManager/*.lease /var/lib/NetworkManager/secret_key /var/lib/NetworkManager/timestamps
removed 'DHCP lease' 'DHCP leases'
gone 'network rules' /etc/udev/rules.d/70-persistent-net.rules /etc/resolv.conf.dhclient* /etc/resolv.conf.predhclient* /etc/resolv.conf.bak
removed 'network state file' 'network state files'

if [ -z "$keep_history" ]; then
  IFS='
'
  for home in $all_homes; do
    home=${home%/}
    [ -n "$home" ] || continue
    gone 'shell history' "$home/.bash_history" "$home/.ash_history" "$home/.sh_history" "$home/.zsh_history" "$home/.histfile" \
      "$home/.local/share/fish/fish_history" "$home/.python_history" "$home/.lesshst" "$home/.viminfo" "$home/.mysql_history" \
      "$home/.psql_history" "$home/.sqlite_history" "$home/.node_repl_history"
  done
  unset IFS
  removed 'shell history' 'shell histories'
fi

# Archives and lists: both are old when the image boots, and `apt-get update` brings the lists back.
if [ -z "$keep_caches" ]; then
  gone 'package caches' /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/* /var/cache/apt/*.bin /var/lib/apt/lists/* \
    /var/cache/dnf/* /var/cache/yum/* /var/cache/libdnf5/* /var/cache/zypp/* /var/cache/apk/* /var/lib/dnf/repos/*
  [ -d /var/lib/apt/lists ] && mkdir -p /var/lib/apt/lists/partial && chown _apt:root /var/lib/apt/lists/partial 2>/dev/null
  removed 'package caches'
fi

# Below the folders, never the folders; nothing that is mounted inside.
for folder in /tmp /var/tmp; do
  [ -d "$folder" ] || continue
  count=$((count + $(find "$folder" -xdev -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)))
  find "$folder" -xdev -mindepth 1 -delete 2>/dev/null
done
removed 'temporary files'

# Last, because all of the above may write some. Running services keep their files open, so those are emptied; what was
# rotated away goes. The journal goes on in memory.
if [ -z "$keep_logs" ] && [ -d /var/log ]; then
  if [ -d /run/systemd/system ]; then
    journalctl --relinquish-var >/dev/null 2>&1
    systemctl stop syslog.socket rsyslog.service >/dev/null 2>&1
  fi
  gone 'journal' /var/log/journal/*
  find /var/log -xdev -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.zst' -o -name '*.bz2' -o -name '*.old' -o -name '*.[0-9]' -o -name '*-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]' \) -delete 2>/dev/null
  count=$((count + $(find /var/log -xdev -type f -size +0c 2>/dev/null | wc -l)))
  find /var/log -xdev -type f -size +0c -exec sh -c 'for file; do : >"$file"; done' sh {} + 2>/dev/null
  removed 'log file' 'log files'
fi

# An image of an overlay is made of files; only a disk has to have them, and `sync` would wait for all that the host has
# to write.
root=
while read -r _ mount type _; do
  [ "$mount" = / ] && root=$type
done </proc/mounts
[ "$root" = overlay ] || sync
printf 'done\t\n'
exit 0
