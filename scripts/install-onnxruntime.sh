#!/usr/bin/env bash
# What the C++ example is compiled with, into gonogo's cache: ONNX Runtime's library out of its npm package, for x86-64
# and ARM64, and its headers and nlohmann/json's out of Debian's packages; each by its hash. The library is newer than
# the headers, which it allows (a program asks it for the version of the API that it was written for). Does nothing
# where all of it is there. ONNX Runtime: MIT licence; nlohmann/json: MIT licence.
set -euo pipefail
npm_package=onnxruntime-node
npm_version=1.30.0
npm_hash=sha512-twhs1C2C/BFkz1yc5OY0KIU2GUq6DURO7hD4bx5Q2Qy3nAMJwRXW8xU3NVczE29VA9lolLOYepoD8fjTGOfIqw==
suite=trixie
debian=(libonnxruntime-dev=1.21.0+dfsg-1 nlohmann-json3-dev=3.11.3-2.1)
debian_hashes=(14f7d959d5deacbcf1504830d4189f91fc67382b399ed9ae9d3aa9c4050ced08 741a6a32f61a14eaf9560ba1814b27da8e78fa3b9bed9e8867ab46316ddf3793)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
folder="${GONOGO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gonogo}/onnxruntime"
wanted="$(sha256sum <"$0" | cut -d ' ' -f 1)"

failed() {
  echo "error: $1" >&2
  exit 1
}
fetch_library() {
  local archive="$1/$npm_package-$npm_version.tgz" inside=package/bin/napi-v6/linux found
  npm pack "$npm_package@$npm_version" --pack-destination "$1" --silent >/dev/null 2>&1 ||
    failed "npm could not fetch $npm_package $npm_version; is there a network?"
  found="sha512-$(openssl dgst -sha512 -binary "$archive" | base64 -w 0)"
  [ "$found" = "$npm_hash" ] || failed "$npm_package $npm_version is not what gonogo was tested with (its hash differs)"
  tar -xzf "$archive" -C "$1" "$inside/x64/libonnxruntime.so.1" "$inside/arm64/libonnxruntime.so.1"
  for machine in x64:x86_64 arm64:aarch64; do
    mkdir -p "$folder/lib/${machine#*:}"
    mv "$1/$inside/${machine%:*}/libonnxruntime.so.1" "$folder/lib/${machine#*:}/"
    ln -s libonnxruntime.so.1 "$folder/lib/${machine#*:}/libonnxruntime.so"
  done
}
# Headers are the same for every machine, and for every release of Debian: fetched past the machine's own list.
fetch_headers() {
  local mirror
  # shellcheck disable=SC2016 # apt-get's own variable
  mirror="$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 'Created-By: Packages' | head -n 1)"
  [ -n "$mirror" ] || failed "no mirror of Debian among this machine's package sources to fetch headers from"
  echo "deb [signed-by=$keyring] $mirror $suite main" >"$1/sources.list"
  mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
  : >"$1/status"
  local private=(-qq -o "Dir::Etc::sourcelist=$1/sources.list" -o Dir::Etc::sourceparts=- -o APT::Architecture=amd64
    -o APT::Architectures=amd64 -o "Dir::State=$1" -o "Dir::State::status=$1/status" -o "Dir::Cache=$1/cache"
    -o APT::Sandbox::User="$(id -un)")
  if ! { apt-get "${private[@]}" update && (cd "$1" && apt-get "${private[@]}" download "${debian[@]}"); }; then
    failed "apt-get could not fetch ${debian[*]} of Debian $suite"
  fi
  local archive place
  for place in "${!debian[@]}"; do
    archive="$(find "$1" -maxdepth 1 -name "${debian[$place]%%=*}_*.deb")"
    echo "${debian_hashes[$place]}  $archive" | sha256sum --check --quiet >/dev/null 2>&1 ||
      failed "${debian[$place]} is not what gonogo was tested with (its hash differs)"
    dpkg-deb -x "$archive" "$1/headers"
  done
  mv "$1/headers/usr/include/onnxruntime" "$folder/include"
  mv "$1/headers/usr/include/nlohmann" "$folder/include/"
}

if [ "$(cat "$folder/made-of" 2>/dev/null)" != "$wanted" ]; then
  for program in npm openssl apt-get dpkg-deb; do
    command -v "$program" >/dev/null 2>&1 || failed "no $program found to fetch ONNX Runtime for C++ with; install it"
  done
  rm -rf "$folder"
  mkdir -p "$folder"
  work="$(mktemp -d)"
  trap 'rm -rf "$work"' EXIT
  fetch_library "$work"
  fetch_headers "$work"
  echo "$wanted" >"$folder/made-of"
fi
echo "ONNX Runtime for C++: $folder"
