found=" "
# Without grep, as in images without any tools, the shell reads the files itself.
marked() {
  if command -v grep >/dev/null 2>&1; then
    grep -lsF "$mark" /proc/[0-9]*/environ
    return
  fi
  for file in /proc/[0-9]*/environ; do
    { while read -r line || [ -n "$line" ]; do
      case $line in *"$mark"*) echo "$file"; break ;; esac
    done <"$file"; } 2>/dev/null
  done
}
look() {
  for file in $(marked); do
    pid=${file#/proc/}; pid=${pid%/environ}
    case $found in *" $pid "*) ;; *) found="$found$pid " ;; esac
  done
  grew=1
  while [ $grew = 1 ]; do
    grew=0; alive=""
    for stat in /proc/[0-9]*/stat; do
      line=""; { read -r line <"$stat"; } 2>/dev/null
      pid=${line%% *}; set -- ${line##*) }
      [ "${1:-Z}" = Z ] || [ "$1" = X ] && continue
      case $found in
        *" $pid "*) alive="$alive $pid" ;;
        *" $2 "*|*" $4 "*) found="$found$pid "; alive="$alive $pid"; grew=1 ;;
      esac
    done
  done
}
pause() { sleep 0.1 2>/dev/null || sleep 1 2>/dev/null; }
look
# A command that was just requested may not carry its mark yet.
tries=15
while [ "$found" = " " ] && [ $tries -gt 0 ]; do
  pause
  look
  tries=$((tries - 1))
done
for round in TERM KILL KILL; do
  look
  [ -z "$alive" ] && exit 0
  kill -"$round" $alive 2>/dev/null
  tries=20
  while [ $tries -gt 0 ]; do
    pause
    look
    [ -z "$alive" ] && exit 0
    [ "$round" = KILL ] && kill -KILL $alive 2>/dev/null
    tries=$((tries - 1))
  done
done
echo "still running:$alive" >&2
exit 1
