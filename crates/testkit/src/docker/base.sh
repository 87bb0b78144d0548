#!/usr/bin/env bash
# Writes a small root file system as a tar to standard output: this machine's shell, usual tools, Python and Perl. Needs
# no registry. For Debian and Ubuntu.
set -euo pipefail

packages=(bash busybox busybox-static coreutils dash diffutils findutils gawk mawk grep gzip hostname libc-bin login mount passwd perl-base procps
  python3-minimal python3.11-minimal python3.12-minimal python3.13-minimal libpython3.11-minimal libpython3.11-stdlib
  libpython3.12-minimal libpython3.12-stdlib libpython3.13-minimal libpython3.13-stdlib sed tar util-linux)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for package in "${packages[@]}"; do
  dpkg -L "$package" 2>/dev/null || true
done | grep -Ev '^/usr/share/(doc|man|locale|info|lintian|bash-completion)|^/etc/(cron|init|systemd|default)|^/var|^/lib/systemd' |
  while IFS= read -r path; do
    if [[ -f $path || -L $path ]]; then echo "$path"; fi
  done >"$work/files"
for link in /bin /sbin /lib /lib32 /lib64 /libx32 /usr/bin/python3 /usr/bin/awk /etc/alternatives/awk /bin/sh /usr/lib/os-release /etc/os-release; do
  if [[ -e $link ]]; then echo "$link" >>"$work/files"; fi
done

# Libraries that the programs are linked with, and the loader.
grep -E '/s?bin/|\.so' "$work/files" | xargs -r ldd 2>/dev/null | grep -oE '/[^ ):]+\.so[^ ):]*' | sort -u >"$work/libraries" || true
while IFS= read -r library; do
  echo "$library"
  readlink -f "$library"
done <"$work/libraries" >>"$work/files"
# If /bin and /lib are links, a file is packed once, under its real path.
own="cat"
if [[ -L /bin ]]; then own="sed -E s,^/(bin|sbin|lib|lib32|lib64|libx32)/,/usr/\\1/,"; fi
$own "$work/files" | sed 's,^/,,' | sort -u >"$work/list"

root=$work/root
# The targets of /bin and /lib precede what is unpacked through these links.
mkdir -p "$root"/{usr/{bin,sbin,lib,lib32,lib64,libx32},etc,opt,root,tmp,var/log,var/tmp,run,srv,home,proc,sys,dev}
chmod 1777 "$root/tmp" "$root/var/tmp"
printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
tar -C "$root" -c -f "$work/root.tar" .
tar -C / -r --hard-dereference -f "$work/root.tar" --no-recursion -T "$work/list"
cat "$work/root.tar"
