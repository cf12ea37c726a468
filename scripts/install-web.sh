#!/usr/bin/env bash
# The runtime that phones answer with: exactly the npm package that gonogo was tested with, by its integrity hash, into
# gonogo's cache. 'gonogo phone' unpacks the few files it serves. Does nothing where the package is already there.
set -euo pipefail
source="$(dirname "$0")/../src/gonogo/serve/phone/runtime.py"
version=$(sed -n 's/^VERSION = "\(.*\)"$/\1/p' "$source")
expected=$(sed -n 's/^INTEGRITY = "\(.*\)"$/\1/p' "$source")
folder="${GONOGO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gonogo}/web"
package="$folder/onnxruntime-web-$version.tgz"

failed() {
  echo "error: $1" >&2
  exit 1
}
is_whole() {
  [ -f "$package" ] && [ "sha512-$(node -p 'const f = require("fs").readFileSync(process.argv[1]);
    require("crypto").createHash("sha512").update(f).digest("base64")' "$package")" = "$expected" ]
}
for program in node npm; do
  command -v "$program" >/dev/null 2>&1 || failed "no $program found to fetch onnxruntime-web $version with; install Node.js"
done
if ! is_whole; then
  mkdir -p "$folder"
  npm pack "onnxruntime-web@$version" --pack-destination "$folder" --silent >/dev/null ||
    failed "npm could not fetch onnxruntime-web $version; is there a network?"
  is_whole || failed "$package is not the package that gonogo was tested with (its hash differs); remove it"
fi
echo "runtime of phones: $package"
