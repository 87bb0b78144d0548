#!/usr/bin/env bash
# Installs ami-bake for the later steps of a job: the script of setup/action.yml.
#   VERSION      version to install. Default: ACTION_REF, the ref of the action, if it is one; else the latest release
#   MIRROR       base URL of the releases. Default: github.com
#   GH_TOKEN     token to verify the attestation with
#   ATTESTATION  fail or warn, when it can't be verified
set -euo pipefail

case $ATTESTATION in
  fail | warn) ;;
  *) echo "::error title=ami-bake::invalid value \"$ATTESTATION\" for input \`attestation\`: use fail or warn" && exit 1 ;;
esac
# shellcheck disable=SC2153 # the input
version=$VERSION
if [[ -z $version && $ACTION_REF =~ ^v?[0-9]+\.[0-9]+\.[0-9]+ ]]; then version=$ACTION_REF; fi
# The tool cache of a runner outlives the job; without one the program is installed anew.
folder=${RUNNER_TOOL_CACHE:-$RUNNER_TEMP}/ami-bake/${version:-latest-$GITHUB_RUN_ID}/$(uname -m)
if [[ ! -x $folder/ami-bake ]]; then
  AMI_BAKE_VERSION=$version AMI_BAKE_MIRROR=$MIRROR AMI_BAKE_INSTALL_DIR=$folder sh "$GITHUB_ACTION_PATH/../install.sh"
fi

# The checksum is verified by install.sh. The attestation says that this repository's workflow built the program. Each time:
# other jobs may write to the tool cache of a self-hosted runner.
unverified() {
  if [[ $ATTESTATION == warn ]]; then
    echo "::warning title=ami-bake::$1 Its checksum was verified when it was downloaded."
  else
    echo "::error title=ami-bake::$1 The input \`attestation: warn\` relies on its checksum alone."
    exit 1
  fi
}
if [[ -n $MIRROR || $GITHUB_SERVER_URL != https://github.com ]]; then
  echo "The attestation is not verified: the program is not from github.com."
elif [[ -z $GH_TOKEN ]] || ! command -v gh >/dev/null; then
  echo "The attestation is not verified: that needs gh and the input \`token\`."
elif ! said=$(gh attestation verify "$folder/ami-bake" --repo ami-bake/ami-bake 2>&1); then
  echo "$said"
  unverified "The attestation of $folder/ami-bake could not be verified."
fi

echo "$folder" >>"$GITHUB_PATH"
echo "version=$("$folder/ami-bake" --version | cut -d ' ' -f 2)" >>"$GITHUB_OUTPUT"
