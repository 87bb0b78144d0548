# Runs the command $2 as a login of the user $1 would. Needs root.
ami_bake_uid=$(id -u "$1" 2>/dev/null) || { echo "the machine has no user $1" >&2; exit 125; }
ami_bake_gid=$(id -g "$1")
unset SUDO_COMMAND SUDO_USER SUDO_UID SUDO_GID OLDPWD
for ami_bake_try in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
  case ":$PATH:" in *":$ami_bake_try:"*) ;; *) PATH=${PATH:+$PATH:}$ami_bake_try ;; esac
done
USER=$(id -un "$1")
LOGNAME=$USER
{ IFS=: read -r _ _ _ _ _ HOME SHELL; } <<AMI_BAKE_ENTRY
$(getent passwd "$USER" 2>/dev/null || grep "^$USER:" /etc/passwd)
AMI_BAKE_ENTRY
HOME=${HOME:-/}
SHELL=${SHELL:-/bin/sh}
export PATH USER LOGNAME HOME SHELL
cd "$HOME" 2>/dev/null || cd /
umask 022
if [ "$ami_bake_uid" = "$(id -u)" ]; then
  exec /bin/sh -c "$2"
elif setpriv --help 2>/dev/null | grep -q init-groups; then
  exec setpriv --reuid "$ami_bake_uid" --regid "$ami_bake_gid" --init-groups -- /bin/sh -c "$2"
elif command -v runuser >/dev/null 2>&1; then
  exec runuser -u "$USER" -- /bin/sh -c "$2"
fi
exec su -s /bin/sh -c "$2" -- "$USER"
