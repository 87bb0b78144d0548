# UpdateOS. `update NAME…` updates these packages, without names all; `update_excludes` calls "$run" with those to keep.
with_yum() {
  for e in "$@"; do options="$options --exclude=$e"; done
}
# The packages in the list $2, except those in this list.
without() {
  for e in "$@"; do
    kept=
    for p in $names; do [ "$p" = "$e" ] || kept="$kept $p"; done
    names=$kept
  done
}
hold() {
  for e in "$@"; do
    case " $(apt-mark showhold) " in *" $e "*) ;; *) apt-mark hold "$e" && held="$held $e" ;; esac
  done
}
update() {
  names=$* options= held=
  set -f
  if command -v apt-get >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    apt-get update || return
    if [ -n "$names" ]; then
      run=without; update_excludes
      [ -z "$names" ] || apt-get -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install --only-upgrade $names
      return
    fi
    run=hold; update_excludes
    apt-get -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold upgrade
    status=$?
    [ -z "$held" ] || apt-mark unhold $held
    return $status
  fi
  for tool in dnf yum; do
    command -v $tool >/dev/null 2>&1 || continue
    run=with_yum; update_excludes
    $tool -y $options update $names
    return
  done
  return 99
}
