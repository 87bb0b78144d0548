# Prints `installed VERSION` or `missing`. Needs: name.
if command -v dpkg-query >/dev/null 2>&1 && [ -s /var/lib/dpkg/status ]; then
  dpkg-query -W -f '${Status}|${Version}\n' "$name" 2>/dev/null | while IFS='|' read -r status version; do
    case $status in *' installed') echo "installed $version" ;; esac
  done | grep -m 1 . || echo missing
elif command -v rpm >/dev/null 2>&1; then
  rpm -q --qf 'installed %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\n' "$name" 2>/dev/null | grep '^installed' | tail -n 1 | grep . || echo missing
elif command -v apk >/dev/null 2>&1; then
  for db in /lib/apk/db/installed /usr/lib/apk/db/installed; do
    [ -f "$db" ] && awk -v name="$name" -F: '$1=="P"{p=$2} $1=="V"&&p==name{print "installed " $2; exit}' "$db"
  done | grep -m 1 . || echo missing
else
  echo no-manager
fi
exit 0
