# Prints name, version and architecture of every installed package, tab-separated.
if command -v dpkg-query >/dev/null 2>&1 && [ -s /var/lib/dpkg/status ]; then
  dpkg-query -W -f '${Status}\t${Package}\t${Version}\t${Architecture}\n' | sed -n 's/^[a-z-]* [a-z-]* installed	//p'
elif command -v rpm >/dev/null 2>&1; then
  rpm -qa --qf '%{NAME}\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\t%{ARCH}\n' | grep -v '^gpg-pubkey	'
elif command -v apk >/dev/null 2>&1; then
  for db in /lib/apk/db/installed /usr/lib/apk/db/installed; do
    [ -f "$db" ] && awk -F: '$1=="P"{p=$2} $1=="V"{v=$2} $1=="A"{a=$2} /^$/{print p "\t" v "\t" a}' "$db"
  done
fi
exit 0
