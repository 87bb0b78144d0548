# Prints kind, mode, user and group of a path, links followed. Needs: path.
if [ -e "$path" ]; then
  if [ -d "$path" ]; then kind=folder; else kind=file; fi
  echo "$kind $(stat -L -c '%a %U %G' "$path")"
elif [ -L "$path" ]; then
  echo dangling
else
  echo none
fi
