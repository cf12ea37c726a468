#!/usr/bin/env bash
# The second compiler that the tests of C files use where it is there. Does nothing where it is found.
set -euo pipefail
if command -v clang >/dev/null 2>&1; then
  echo "clang: $(command -v clang)"
  exit 0
fi
failed() {
  echo "error: no clang found, and $1; install clang, or test with gcc alone" >&2
  exit 1
}
command -v apt-get >/dev/null 2>&1 || failed "there is no apt-get to install it with"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || failed "only root may install it"
  as_root=(sudo -n)
fi
export DEBIAN_FRONTEND=noninteractive
if ! { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" apt-get install -y -qq --no-install-recommends clang libclang-rt-14-dev; }; then
  failed "apt-get could not install it"
fi
command -v clang >/dev/null 2>&1 || failed "the package clang brought none"
echo "clang: $(command -v clang)"
