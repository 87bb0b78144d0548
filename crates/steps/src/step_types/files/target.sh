# Prints what the target is and the owner's numbers. Needs: user, group, to, make, mode.
case $user in
  *[!0-9]*) uid=$(id -u "$user" 2>/dev/null) || { echo user; exit 0; } ;;
  *) uid=$user ;;
esac
case $group in
  '') gid=$(id -g "$user" 2>/dev/null) || gid=$uid ;;
  *[!0-9]*)
    gid=$( (getent group "$group" 2>/dev/null || grep "^$group:" /etc/group) | cut -d: -f3)
    [ -n "$gid" ] || { echo group; exit 0; }
    ;;
  *) gid=$group ;;
esac
if [ -n "$make" ] && [ ! -e "$to" ]; then
  mkdir -p "$to" && chown "$uid:$gid" "$to" && chmod "$mode" "$to"
fi
if [ -d "$to" ]; then kind=folder; elif [ -e "$to" ]; then kind=file; else kind=none; fi
echo "$kind $uid $gid"
