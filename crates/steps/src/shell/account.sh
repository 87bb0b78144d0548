# The environment of the user ami_bake_user; ami_bake_fail is told `user` where there is none.
# The login may be sudo's or sshd's: both leave their own traces, and root's PATH without sbin in some systems.
unset SUDO_COMMAND SUDO_USER SUDO_UID SUDO_GID OLDPWD
for ami_bake_try in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
  case ":$PATH:" in *":$ami_bake_try:"*) ;; *) PATH=${PATH:+$PATH:}$ami_bake_try ;; esac
done
export PATH

ami_bake_uid=$(id -u "$ami_bake_user" 2>/dev/null) || ami_bake_fail user
ami_bake_gid=$(id -g "$ami_bake_user")
USER=$(id -un "$ami_bake_user")
LOGNAME=$USER
{ IFS=: read -r _ _ _ _ _ HOME SHELL; } <<AMI_BAKE_ENTRY
$(getent passwd "$USER" 2>/dev/null || grep "^$USER:" /etc/passwd)
AMI_BAKE_ENTRY
HOME=${HOME:-/}
SHELL=${SHELL:-/bin/sh}
export USER LOGNAME HOME SHELL
