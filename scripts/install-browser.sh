#!/usr/bin/env bash
# The browser that the tests render pages in. Does nothing where one is found; GONOGO_CHROMIUM names another program.
set -euo pipefail
find_browser() {
  for name in "${GONOGO_CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then
      echo "browser: $(command -v "$name")"
      return 0
    fi
  done
  return 1
}

find_browser && exit 0
failed() {
  echo "error: no Chromium found, and $1; install Chromium or Chrome, or set GONOGO_CHROMIUM to its program" >&2
  exit 1
}
command -v apt-get >/dev/null 2>&1 || failed "there is no apt-get to install it with"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || failed "only root may install it"
  as_root=(sudo -n)
fi
export DEBIAN_FRONTEND=noninteractive
if ! { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" apt-get install -y -qq --no-install-recommends chromium; }; then
  failed "apt-get could not install it"
fi
find_browser || failed "the package chromium brought none"
