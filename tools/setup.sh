#!/usr/bin/env bash
# setup.sh [--tests] [PACKAGE...]: install what building segtiles needs and this machine lacks
# (Debian, Ubuntu); with --tests what the tests need too, and any PACKAGE named. Does nothing when
# all is there.
set -euo pipefail

build="gcc make cmake ninja-build pkg-config libgdal-dev gdal-bin libopenmpi-dev openmpi-bin
  libhdf5-openmpi-dev libdnnl-dev ocl-icd-opencl-dev zlib1g-dev libzstd-dev libyaml-dev libjson-c-dev
  libcmocka-dev"
tests="git g++ python3 python3-numpy python3-torch python3-gdal python3-qgis qgis-providers
  python3-venv chromium clang-format-14 clang-14 libclang-rt-14-dev libfuzzer-14-dev gcovr
  slurm-wlm munge iproute2 procps libsimgrid-dev"

wanted=$build
for argument in "$@"; do
  case $argument in
  --tests) wanted="$wanted $tests" ;;
  -h | --help)
    sed -n '2,4s/^# //p' "$0"
    exit 0
    ;;
  -*)
    echo "setup.sh: $argument is unknown; allowed: --tests" >&2
    exit 2
    ;;
  *) wanted="$wanted $argument" ;;
  esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "setup.sh: no apt-get here; install by hand:" $wanted >&2
  exit 1
fi

missing=()
for package in $wanted; do
  if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
    missing+=("$package")
  fi
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: all packages are there"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup.sh: needs root to install ${missing[*]}; run it as root, or install sudo" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "setup: installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
# clang-format 14 decides about layout, clang 14 builds the fuzzers, chromium shows reports, SimGrid
# simulates many nodes; where they are not packaged what needs them is skipped.
for optional in clang-format-14 clang-14 libclang-rt-14-dev libfuzzer-14-dev chromium libsimgrid-dev; do
  if [[ " ${missing[*]} " == *" $optional "* ]] && ! apt-cache show "$optional" >/dev/null 2>&1; then
    echo "setup: $optional is not packaged here; tests that need it will be skipped"
    missing=("${missing[@]/%$optional/}")
  fi
done
# shellcheck disable=SC2068 # an emptied name must vanish
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends ${missing[@]} >/dev/null
echo "setup: done"
