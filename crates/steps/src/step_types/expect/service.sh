# Prints the state of a service and whether it starts at boot. Needs: name.
if [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1; then
  if [ "$(systemctl show -p LoadState "$name" 2>/dev/null)" = LoadState=not-found ]; then
    echo unknown
    exit 0
  fi
  systemctl is-active "$name" 2>/dev/null
  systemctl is-enabled "$name" 2>/dev/null
elif [ -d /run/openrc ] && command -v rc-service >/dev/null 2>&1; then
  if ! rc-service -e "$name" 2>/dev/null; then
    echo unknown
    exit 0
  fi
  if rc-service "$name" status >/dev/null 2>&1; then echo active; else echo inactive; fi
  if rc-update show 2>/dev/null | grep -q "^ *$name *|"; then echo enabled; else echo disabled; fi
else
  echo no-init
fi
exit 0
