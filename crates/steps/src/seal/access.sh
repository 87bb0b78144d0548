# Removes the way to this machine: no new login is needed after it. Needs: authorized_keys, login_files, last (functions).
# The bake's own keys: the lines with exactly them, whatever options stand before.
keys=$(authorized_keys)
if [ -n "$keys" ]; then
  for file in $(printf '%s\n' "$all_homes" | sed 's|/*$|/.ssh/authorized_keys|; p; s|$|2|') /etc/ssh/authorized_keys/* /etc/ssh/authorized_keys.d/*; do
    [ -f "$file" ] || continue
    found=$(printf '%s\n' "$keys" | grep -cF -f - "$file")
    [ "$found" -gt 0 ] || continue
    # Written through the existing file, so that owner, mode and label stay.
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

# Empties logs of the commands since the last time, such as a line of sudo.
empty_logs

# An image of an overlay is made of files; only a disk has to have them, and `sync` would wait for all that the host has
# to write.
is_a_disk && sync
last >/dev/null 2>&1 </dev/null
printf 'done\t\n'
exit 0
