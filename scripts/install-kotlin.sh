#!/usr/bin/env bash
# What compiles and runs the Kotlin example: Kotlin's compiler out of its npm package (Apache-2.0), by its hash, and
# Android's org.json out of Debian's package (Apache-2.0), into gonogo's cache; Java where there is none. Does nothing
# where all of it is there.
set -euo pipefail
version=2.4.20
expected=sha512-IF5IVM7LpPhA/ntHQQpaVt1yxpaaQovtEVYLyqWMuaLr0XelLPPm7/sM6HLhtcRjjjoSsK7I7lP2kzYJkMy73w==
folder="${GONOGO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gonogo}/kotlin"
wanted="$(sha256sum <"$0" | cut -d ' ' -f 1)"

failed() {
  echo "error: $1" >&2
  exit 1
}
install_java() {
  local as_root=() advice="install a Java runtime, 17 or newer"
  command -v apt-get >/dev/null 2>&1 || failed "no java found, and no apt-get to install it with; $advice"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || failed "no java found, and only root may install it; $advice"
    as_root=(sudo -n)
  fi
  export DEBIAN_FRONTEND=noninteractive
  if ! { "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" apt-get install -y -qq --no-install-recommends default-jre-headless; }; then
    failed "no java found, and apt-get could not install it; $advice"
  fi
}
fetch() {
  local archive="$1/kotlin-compiler-$version.tgz"
  npm pack "kotlin-compiler@$version" --pack-destination "$1" --silent >/dev/null 2>&1 ||
    failed "npm could not fetch kotlin-compiler $version; is there a network?"
  [ "sha512-$(openssl dgst -sha512 -binary "$archive" | base64 -w 0)" = "$expected" ] ||
    failed "kotlin-compiler $version is not what gonogo was tested with (its hash differs)"
  tar -xzf "$archive" -C "$1"
  mv "$1/package" "$folder/compiler"
  chmod +x "$folder/compiler/bin/kotlinc"
  (cd "$1" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download libandroid-json-java) ||
    failed "apt-get could not fetch libandroid-json-java; does this machine's package list know it?"
  dpkg-deb -x "$1"/libandroid-json-java_*.deb "$1/json"
  cp -L "$1/json/usr/share/java/com.android.json.jar" "$folder/json.jar"
}

command -v java >/dev/null 2>&1 || install_java
if [ "$(cat "$folder/made-of" 2>/dev/null)" != "$wanted" ]; then
  for program in npm openssl apt-get dpkg-deb; do
    command -v "$program" >/dev/null 2>&1 || failed "no $program found to fetch Kotlin with; install it"
  done
  rm -rf "$folder"
  mkdir -p "$folder"
  work="$(mktemp -d)"
  trap 'rm -rf "$work"' EXIT
  fetch "$work"
  echo "$wanted" >"$folder/made-of"
fi
echo "Kotlin: $folder"
