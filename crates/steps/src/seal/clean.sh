# Removes what the bake left and what every machine has of its own, but not the way to this machine.
# A step may have started cloud-init's units again: what they write after this would be in the image.
running() { systemctl list-jobs --no-legend 2>/dev/null </dev/null | grep -Eq ' cloud-(init|config|final)[a-z-]*\.(service|target) '; }
if [ -d /run/systemd/system ]; then
  left=300
  while running; do
    left=$((left - 1))
    if [ "$left" -eq 0 ]; then
      printf 'busy\tcloud-init\n'
      exit 0
    fi
    sleep 1
  done
fi

# As `cloud-init clean`: the next boot is a first one. Seeds and scripts of the image's author stay.
gone 'cloud-init state' /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/data /var/lib/cloud/sem
removed 'cloud-init state'

# Emptied, not deleted: to systemd a missing file means first boot (machine-id(5)).
if [ -z "$keep_machine_id" ]; then
  if [ -s /etc/machine-id ]; then
    if : >/etc/machine-id; then count=1; else printf 'failed\t/etc/machine-id\n'; fi
  fi
  [ -L /var/lib/dbus/machine-id ] || gone 'machine ID' /var/lib/dbus/machine-id
  removed 'the machine ID'
fi

# Stopped, so that the service does not write its seed again at shutdown.
if [ -d /run/systemd/system ]; then
  systemctl stop systemd-random-seed.service >/dev/null 2>&1
fi
gone 'random seed' /var/lib/systemd/random-seed /var/lib/urandom/random-seed /var/lib/misc/random-seed /var/lib/seedrng
removed 'the random seed'

# With the identifier (DUID) that a client gives itself, and would keep in every machine.
gone 'DHCP leases' /var/lib/dhcp/*.lease* /var/lib/dhclient/* /var/lib/dhcpcd/*.lease* /var/lib/dhcpcd/duid /var/lib/dhcpcd/secret \
  /etc/dhcpcd.duid /etc/dhcpcd.secret /var/lib/udhcpc/* \
  /var/lib/NetworkManager/*.lease /var/lib/NetworkManager/secret_key /var/lib/NetworkManager/timestamps
removed 'DHCP lease' 'DHCP leases'
# What these write when they stop, such as dhclient its lease when the network goes down, goes to memory: nothing of it is on
# the disk that is captured. An overlay is a sandbox's, where none of them runs.
if [ -d /run/systemd/system ] && is_a_disk; then
  for folder in /var/lib/cloud /var/lib/dhcp /var/lib/dhclient /var/lib/dhcpcd /var/lib/NetworkManager; do
    [ -d "$folder" ] && [ ! -L "$folder" ] || continue
    # A second seal finds it covered.
    while read -r _ mount _; do [ "$mount" = "$folder" ] && continue 2; done </proc/mounts
    mount -t tmpfs -o "size=4m,mode=$(stat -c %a "$folder"),uid=$(stat -c %u "$folder"),gid=$(stat -c %g "$folder")" ami-bake "$folder" 2>/dev/null
  done
fi
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

# Archives and lists: both are outdated when the image boots, and `apt-get update` downloads the lists again.
if [ -z "$keep_caches" ]; then
  gone 'package caches' /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/* /var/cache/apt/*.bin /var/lib/apt/lists/* \
    /var/cache/dnf/* /var/cache/yum/* /var/cache/libdnf5/* /var/cache/zypp/* /var/cache/apk/* /var/lib/dnf/repos/*
  [ -d /var/lib/apt/lists ] && mkdir -p /var/lib/apt/lists/partial && chown _apt:root /var/lib/apt/lists/partial 2>/dev/null
  removed 'package caches'
fi

# The content of the folders, never the folders; nothing that is mounted inside.
for folder in /tmp /var/tmp; do
  [ -d "$folder" ] || continue
  count=$((count + $(find "$folder" -xdev -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)))
  find "$folder" -xdev -mindepth 1 -delete 2>/dev/null
done
removed 'temporary files'

# Last, because everything above may write logs.
empty_logs
removed 'log file' 'log files'
printf 'done\t\n'
exit 0
