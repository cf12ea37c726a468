#!/usr/bin/env bash
# ARM64 without a device, for the slow tests: a compiler and an emulator from the machine's packages; Debian's Python
# for ARM64 and gonogo's base install, as constraints.txt pins it, unpacked into gonogo's cache. The machine's own list
# of architectures stays as it is. Does nothing where all of it is there. PYTHON names an interpreter with pip.
set -euo pipefail
here="$(cd "$(dirname "$0")/.." && pwd)"
python="${PYTHON:-python3}"
folder="${GONOGO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gonogo}/arm64"
programs=(qemu-aarch64-static aarch64-linux-gnu-gcc aarch64-linux-gnu-g++)
packages=(qemu-user-static gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross)
sources=("$here/scripts/install-arm.sh" "$here/constraints.txt" "$here/pyproject.toml")
wanted="$(cat "${sources[@]}" | sha256sum | cut -d ' ' -f 1)"

failed() {
  echo "error: $1" >&2
  exit 1
}
has_programs() {
  for program in "${programs[@]}"; do
    command -v "$program" >/dev/null 2>&1 || return 1
  done
}
install_programs() {
  local as_root=() lacking="no emulator or compiler for ARM64" advice="install ${packages[*]}"
  command -v apt-get >/dev/null 2>&1 || failed "$lacking, and no apt-get to install them with; $advice"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || failed "$lacking, and only root may install them; $advice"
    as_root=(sudo -n)
  fi
  export DEBIAN_FRONTEND=noninteractive
  if ! { "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}"; }; then
    failed "$lacking, and apt-get could not install them; $advice"
  fi
  has_programs || failed "the packages ${packages[*]} brought no ${programs[*]}"
}
# apt's own signatures and dependencies, but a state of its own: no other architecture, and nothing installed yet.
unpack_python() {
  local root="$1" apt="$2"
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  : >"$apt/status"
  local private=(-qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State=$apt"
    -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User="$(id -un)")
  if ! { apt-get "${private[@]}" update && apt-get "${private[@]}" install -y --download-only --no-install-recommends \
    python3-minimal libpython3-stdlib libstdc++6 >/dev/null; }; then
    failed "apt-get could not fetch Debian's Python for ARM64; do this machine's package sources hold arm64?"
  fi
  for archive in "$apt"/cache/archives/*.deb; do
    dpkg-deb -x "$archive" "$root" || failed "$archive cannot be unpacked; is there room in $folder?"
  done
}
# What a program asks of the machine it runs on: a Raspberry Pi 3's core, so that no instruction is used that it lacks.
write_machine() {
  mkdir -p "$1/proc" "$1/sys/devices/system/cpu"
  printf '%s\n' $'processor\t: 0' $'BogoMIPS\t: 38.40' $'Features\t: fp asimd crc32 cpuid' $'CPU implementer\t: 0x41' \
    'CPU architecture: 8' $'CPU variant\t: 0x0' $'CPU part\t: 0xd03' $'CPU revision\t: 4' '' >"$1/proc/cpuinfo"
  echo 0 | tee "$1/sys/devices/system/cpu/possible" >"$1/sys/devices/system/cpu/present"
}
install_packages() {
  local root="$1" version names
  version="$(readlink "$root/usr/bin/python3")"
  names="$("$python" -c 'import sys, tomllib
print("\n".join(tomllib.load(open(sys.argv[1], "rb"))["project"]["dependencies"]))' "$here/pyproject.toml")"
  local platforms=()
  for glibc in 2_17 2_24 2_26 2_27 2_28 2_31 2_34 2_35; do
    platforms+=(--platform "manylinux_${glibc}_aarch64")
  done
  # pip compares with what is installed here, which is another machine's; only its errors matter.
  "$python" -m pip install --quiet --disable-pip-version-check --no-compile --target "$root/site" --only-binary=:all: \
    --python-version "${version#python}" --implementation cp --platform manylinux2014_aarch64 "${platforms[@]}" \
    -c "$here/constraints.txt" -r /dev/stdin <<<"$names" >"$root/pip.log" 2>&1 ||
    failed "pip could not fetch the base install for ARM64 ($(grep -m 1 ERROR: "$root/pip.log" || tail -n 1 "$root/pip.log"))"
}
answers() {
  PYTHONPATH="$1/site" qemu-aarch64-static -cpu cortex-a53 -L "$1" "$1/usr/bin/python3" -c '
import platform, onnxruntime
print("ARM64:", platform.machine(), "Python", platform.python_version(), "ONNX Runtime", onnxruntime.__version__)'
}

has_programs || install_programs
if [ "$(cat "$folder/made-of" 2>/dev/null)" != "$wanted" ]; then
  "$python" -c 'import pip, tomllib' 2>/dev/null ||
    failed "$python is no Python 3.11 or newer with pip; name one (PYTHON=...), or run: make arm"
  command -v dpkg-deb >/dev/null 2>&1 || failed "no dpkg-deb, and so no packages of Debian's Python for ARM64"
  rm -rf "$folder"
  mkdir -p "$folder/root"
  unpack_python "$folder/root" "$folder/apt"
  rm -rf "$folder/apt"
  write_machine "$folder/root"
  install_packages "$folder/root"
  answers "$folder/root" || failed "ONNX Runtime does not start on the emulated ARM64; see the lines above"
  echo "$wanted" >"$folder/made-of"
fi
echo "ARM64: $folder/root"
