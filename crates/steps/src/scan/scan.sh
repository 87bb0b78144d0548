# Prints the files that hold a secret, a private key or credentials. Needs: listed (not empty when descriptor 5 has the paths to look
# at, each with a NUL at its end), since (seconds, or nothing for all files), secrets (how many) and secret_0, secret_1 …
# (functions that print the texts of one secret). No value is ever on a command line: printf is the shell's own.
export LC_ALL=C
umask 077
header='^-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY( BLOCK)?-----[[:space:]]*$'
# busybox treats every file as text and has no option for it.
text=
grep -a x /dev/null >/dev/null 2>&1
[ $? -le 1 ] && text=-a

work=
for t in /dev/shm /run /tmp; do work=$(mktemp -d "$t/.ami-bake.XXXXXXXX" 2>/dev/null) && break; done
[ -n "$work" ] || { echo 'no writable temporary folder on this machine' >&2; exit 1; }
trap 'rm -rf "$work"' 0
trap 'exit 129' 1 2 15
i=0
while [ "$i" -lt "$secrets" ]; do
  "secret_$i"
  i=$((i + 1))
done >"$work/patterns"
exec 4<"$work/patterns"
rm -f "$work/patterns"
patterns=/proc/self/fd/4

# The inode's change time, not the content's: archives and packages set old dates.
set --
if [ -n "$since" ]; then
  if find / -maxdepth 0 -newerct @1 >/dev/null 2>&1; then
    set -- -newerct "@$((since - 1))"
  elif find / -maxdepth 0 -cmin -1 >/dev/null 2>&1; then
    set -- -cmin "-$((($(date +%s) - since) / 60 + 2))"
  fi
fi
changed() {
  if [ -n "$listed" ]; then
    # Regular files only: reading from a pipe would wait forever.
    xargs -0 -r sh -c 'for file; do [ -f "$file" ] && [ ! -h "$file" ] && printf "%s\0" "$file"; done; :' sh <&5
    return
  fi
  on_disks "$@"
}
# All mounted disks, since a separate /var is part of the image, too; file systems in memory are not.
on_disks() { {
  echo /
  while read -r _ mount type _; do
    case $type in
      ext[234] | xfs | btrfs | f2fs | jfs | zfs | vfat | overlay | bcachefs) printf '%b\n' "$mount" ;;
    esac
  done </proc/mounts
} | sort -u | while IFS= read -r mount; do
  case $mount in /proc | /proc/* | /sys | /sys/* | /dev | /dev/* | /run | /run/*) continue ;; esac
  find "$mount" -xdev -type f "$@" -print0 2>/dev/null
done; }
changed "$@" >"$work/files"

if [ "$secrets" -gt 0 ]; then
  xargs -0 -r grep -lF -f "$patterns" -- <"$work/files" 2>/dev/null | sort -u | while IFS= read -r file; do
    # A line of a name that contains line ends: the secret was found, but its file can't be identified.
    [ -e "$file" ] || printf 'secret\t?\t%s\n' "$file"
    i=0
    while [ "$i" -lt "$secrets" ]; do
      if "secret_$i" | grep -qF -f - -- "$file" 2>/dev/null; then
        printf 'secret\t%s\t%s\n' "$i" "$file"
      fi
      i=$((i + 1))
    done
  done
fi

# Files that a package of the distribution ships below /usr are test data that everybody has.
shipped() {
  case $1 in /usr/*) ;; *) return 1 ;; esac
  dpkg-query -S "$1" >/dev/null 2>&1 || rpm -qf "$1" >/dev/null 2>&1 || apk info -W "$1" >/dev/null 2>&1
}
xargs -0 -r grep -lE -e "$header" -- <"$work/files" 2>/dev/null | sort -u | while IFS= read -r file; do
  if [ ! -e "$file" ]; then
    printf 'key\t-\t%s\n' "$file"
    continue
  fi
  # Programs and documents may contain the header alone; a key has its body, too.
  grep $text -A 4 -E -e "$header" -- "$file" 2>/dev/null | tr -d '\r' |
    grep -qE '^[A-Za-z0-9+/=]{32,}$|^(Proc-Type|DEK-Info|Comment|Version):' || continue
  shipped "$file" || printf 'key\t-\t%s\n' "$file"
done
# Files in which common tools keep credentials, if they contain one: a login, not just the setting of a registry or
# region.
one_line() { tr '\n\r' '  ' <"$1"; }
credentials() {
  value='[[:space:]]*[:=][[:space:]]*["'"'"']?([^][:space:]"'"'"'${#;,}]|\$[^{])'
  case $1 in
    */.docker/config.json) one_line "$1" | grep -qE '"(auth|identitytoken|registrytoken|password)"[[:space:]]*:[[:space:]]*"[^"]' ;;
    */.git-credentials | */.config/git/credentials) grep -qE '^[^#]*://[^/[:space:]]+@' -- "$1" ;;
    */.npmrc) grep -qE "^[[:space:]]*([^;#=[:space:]][^=]*)?(_authToken|_auth|_password)$value" -- "$1" ;;
    */.netrc) grep -v '^[[:space:]]*#' -- "$1" | tr '\n\r' '  ' | grep -qE '(^|[[:space:]])password[[:space:]]+[^[:space:]]' ;;
    */.pypirc) grep -qE "^[[:space:]]*password$value" -- "$1" ;;
    */.aws/credentials | */.aws/config) grep -qE "^[[:space:]]*(aws_secret_access_key|aws_session_token)$value" -- "$1" ;;
    */.kube/config | */kubeconfig | *.kubeconfig | /etc/kubernetes/*.conf | /etc/rancher/*/*.yaml)
      grep -E "(client-key-data|token|password|id-token|refresh-token|access-token)[\"']?$value" -- "$1" 2>/dev/null |
        grep -qvE '^[[:space:]]*#|:[[:space:]]*(null|~)[[:space:]]*,?[[:space:]]*$'
      ;;
    *.tfstate | *.tfstate.backup)
      one_line "$1" | grep -qE '"resources"[[:space:]]*:[[:space:]]*\[[[:space:]]*\{|"sensitive"[[:space:]]*:[[:space:]]*true|"(secret_key|password|token|access_token|client_secret)"[[:space:]]*:[[:space:]]*"[^"]'
      ;;
    *) false ;;
  esac
}
xargs -0 -r sh -c 'for file; do
  case $file in
    *[Cc]redentials | */config | */config.json | */.npmrc | */.netrc | */.pypirc | *kubeconfig | *.conf | *.yaml | *.tfstate | *.tfstate.backup)
      [ -f "$file" ] && [ ! -h "$file" ] && printf "%s\n" "$file" ;;
  esac
done; :' sh <"$work/files" | sort -u | while IFS= read -r file; do
  credentials "$file" 2>/dev/null || continue
  shipped "$file" || printf 'credentials\t-\t%s\n' "$file"
done
printf 'done\t\n'
exit 0
