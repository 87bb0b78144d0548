# Runs the command $2 as a login of the user $1 would. Needs root.
ami_bake_user=$1
ami_bake_fail() {
  echo "the machine has no user $ami_bake_user" >&2
  exit 125
}
ami_bake_account
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
