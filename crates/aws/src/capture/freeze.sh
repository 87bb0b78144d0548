{
set -f
points= seen=' '
while read -r device point kind options rest; do
    # Always including the root: an image of a root that was not frozen is inconsistent.
    case $point:$kind in /:* | *:ext2 | *:ext3 | *:ext4 | *:xfs | *:btrfs | *:f2fs) ;; *) continue ;; esac
    case ,$options, in *,rw,*) ;; *) continue ;; esac
    case $seen in *" $device "*) continue ;; esac
    seen="$seen$device "
    points="$point
$points"
done < "${MOUNTS:-/proc/self/mounts}"
IFS='
'
command -v fsfreeze > /dev/null || { echo 'the machine has no fsfreeze (package util-linux)' >&2; exit 3; }
thaw() {
    thawed=0
    for point in $points; do fsfreeze -u "$point" 2> /dev/null || thawed=1; done
    return $thawed
}
sync
fsfreeze --version > /dev/null
(
    trap '' HUP INT TERM PIPE
    sleep "${SECONDS_TO_THAW:-30}"
    thaw
) < /dev/null > /dev/null 2>&1 &
done=
for point in $points; do
    if ! fsfreeze -f "$point"; then
        echo "$point can't be frozen" >&2
        points=$done
        thaw
        exit 5
    fi
    done="$done$point
"
done
echo frozen
read -r go
thaw
exit $?
}
