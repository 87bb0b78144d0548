#!/bin/sh
# Installs ami-bake from a release on GitHub, after verifying the checksum.
#   curl -fsSL https://raw.githubusercontent.com/ami-bake/ami-bake/main/install.sh | sh
#
#   AMI_BAKE_VERSION      version, such as v0.1.0. Default: the latest release
#   AMI_BAKE_INSTALL_DIR  folder for the program. Default: ~/.local/bin, for root /usr/local/bin
#   AMI_BAKE_MIRROR       base URL of the releases. Default: https://github.com/ami-bake/ami-bake/releases/download
set -eu

fail() {
  echo "install.sh: $*" >&2
  exit 1
}

# Everything is in a function, so that an interrupted download runs nothing.
main() {
  repository=https://github.com/ami-bake/ami-bake
  mirror=${AMI_BAKE_MIRROR:-$repository/releases/download}
  case $(uname -s)-$(uname -m) in
    Linux-x86_64 | Linux-amd64) target=x86_64-unknown-linux-musl ;;
    Linux-aarch64 | Linux-arm64) target=aarch64-unknown-linux-musl ;;
    Darwin-arm64) target=aarch64-apple-darwin ;;
    *) fail "there is no release for $(uname -s) on $(uname -m); build it with cargo: $repository" ;;
  esac
  command -v curl >/dev/null || fail "curl is not installed"

  version=${AMI_BAKE_VERSION:-}
  if [ -z "$version" ]; then
    # Redirects to …/releases/tag/VERSION.
    latest=$(curl -fsSL --retry 3 -o /dev/null -w '%{url_effective}' "$repository/releases/latest") ||
      fail "cannot look up the latest release"
    version=${latest##*/}
  fi
  version=v${version#v}
  case $version in
    v[0-9]*.[0-9]*.[0-9]*) ;;
    *) fail "\"$version\" is not a valid version such as v0.1.0" ;;
  esac
  case $version in *[!0-9A-Za-z.+-]*) fail "\"$version\" is not a valid version such as v0.1.0" ;; esac

  folder=${AMI_BAKE_INSTALL_DIR:-}
  if [ -z "$folder" ]; then
    if [ "$(id -u)" = 0 ]; then folder=/usr/local/bin; else folder=$HOME/.local/bin; fi
  fi

  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  file=ami-bake-$target.tar.gz
  for name in "$file" SHA256SUMS; do
    curl -fsSL --retry 3 -o "$work/$name" "$mirror/$version/$name" || fail "cannot download $mirror/$version/$name"
  done
  (cd "$work" && grep " $file\$" SHA256SUMS >expected) || fail "SHA256SUMS does not list $file"
  if command -v sha256sum >/dev/null; then verify=sha256sum; else verify='shasum -a 256'; fi
  (cd "$work" && $verify -c expected >/dev/null) || fail "the checksum of $file is not that of the release"

  tar -xzf "$work/$file" -C "$work" ami-bake
  mkdir -p "$folder"
  # Renamed into place, so that a running program is not overwritten.
  cp "$work/ami-bake" "$folder/.ami-bake.$$"
  chmod 755 "$folder/.ami-bake.$$"
  mv -f "$folder/.ami-bake.$$" "$folder/ami-bake"
  echo "Installed ami-bake $version to $folder/ami-bake"
  case :$PATH: in
    *:"$folder":*) ;;
    *) echo "Add $folder to your PATH." ;;
  esac
}

main
