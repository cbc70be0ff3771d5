#!/usr/bin/env bash
# bundle.sh BUILD_FOLDER FILE.tar.xz: packs segtiles with all libraries that it needs, Open MPI with its plugins
# and mpirun, and the data of PROJ and GDAL, for systems that have none of them. Only glibc (this system's
# version or newer) and a shell are left to the host, and on a GPU node CUDA's driver and cuDNN.
#
#   tar xf segtiles.tar.xz
#   segtiles/segtiles info scene.tif
#   segtiles/mpirun -n 16 segtiles/segtiles predict scene.tif
#
#   XZ_LEVEL     of compression, 0 to 9 (6)
set -euo pipefail
if [ $# != 2 ]; then
  sed -n '2,4s/^# //p' "$0" >&2
  exit 2
fi
program=$(realpath "$1")/segtiles
target=$(realpath -m "$2")
[ -x "$program" ] || { echo "bundle.sh: $program is missing; build it first" >&2; exit 1; }
work=$(mktemp -d "${TMPDIR:-/tmp}/segtiles_bundle_XXXXXX")
trap 'rm -rf "$work"' EXIT
bundle=$work/segtiles
mkdir -p "$bundle"/{bin,etc,share,lib/openmpi,lib/pmix,lib/cudnn}

# need WHAT PATH: the path, or an end that names what is missing
need() { [ -e "$2" ] && echo "$2" || { echo "bundle.sh: $1 is missing ($2)" >&2; exit 1; }; }

libraries=$(dirname "$(ldd "$program" | awk '$1 ~ /^libmpi\.so/ {print $3}')")
plugins=$(need "Open MPI's plugins" "$libraries/openmpi/lib/openmpi3")
pmix=$(need "PMIx's plugins" "$libraries/pmix2/lib/pmix")
data=$(need "PROJ's data" /usr/share/proj)
cp "$program" "$bundle/bin/segtiles"
cp "$(need mpirun "$(command -v mpirun.openmpi || command -v mpirun)")" "$bundle/bin/mpirun"
cp "$(need orted "$(command -v orted || echo orted)")" "$bundle/bin/"

# What one host, TCP and Slurm need: not other fabrics' plugins, whose libraries are large, nor OpenSHMEM.
for file in "$plugins"/mca_*.so; do
  case ${file##*/} in
    *_ofi.so | *_openib.so | *_ucx.so | *_psm*.so | *_flux.so | *_jsm.so | *gridengine* | *monitoring*) ;;
    mca_spml_* | mca_scoll_* | mca_memheap_* | mca_sshmem_* | mca_atomic_* | *pessimist* | mca_compress_bzip.so) ;;
    *) cp "$file" "$bundle/lib/openmpi/" ;;
  esac
done
cp "$pmix"/*.so "$bundle/lib/pmix/"
cp -r /usr/share/openmpi "$bundle/share/openmpi"
cp -rL /etc/openmpi/. "$bundle/etc/"
cp -r "$data" "$bundle/share/proj"
cp -r "$(need "GDAL's data" "$(gdal-config --datadir 2>/dev/null || echo /usr/share/gdal)")" "$bundle/share/gdal"

# All libraries of all of these, but glibc's. cuDNN's own one, small as it only loads the others, lies apart:
# it lets the program start where there is no cuDNN.
find "$bundle" -type f \( -name '*.so' -o -path '*/bin/*' \) -print0 | xargs -0 -n 1 ldd 2>/dev/null |
  awk '$2 == "=>" && $3 ~ /^\// {print $1, $3}' | sort -u >"$work/libraries"
while read -r name path; do
  case $name in
    libc.so.* | libm.so.* | libpthread.so.* | libdl.so.* | librt.so.* | libresolv.so.* | libutil.so.*) ;;
    ld-linux* | libnsl.so.* | libmvec.so.* | libcuda.so.*) ;;
    libcudnn*) cp -L "$path" "$bundle/lib/cudnn/$name" ;;
    *) cp -L "$path" "$bundle/lib/$name" ;;
  esac
done <"$work/libraries"
find "$bundle/lib" "$bundle/bin" -type f -exec strip --strip-unneeded {} + 2>/dev/null || true

# What both commands set. No program is called: there may be none.
cat >"$bundle/environment.sh" <<'END'
# Sourced by segtiles and mpirun; $bundle is the folder that holds this.
case ":${LD_LIBRARY_PATH:-}:" in
  *":$bundle/lib:"*) ;;
  *)
    LD_LIBRARY_PATH="$bundle/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    found=
    for folder in ${CUDNN_ROOT:+"$CUDNN_ROOT/lib"} /usr/local/cuda/lib64 /usr/local/cuda/lib \
      /usr/lib/x86_64-linux-gnu /usr/lib64 /usr/lib; do
      if [ -z "$found" ] && [ -e "$folder/libcudnn.so.9" ]; then
        found=$folder
        case $folder in
          /usr/lib*) ;; # found anyhow, and other libraries there are not wanted before the bundle's
          *) LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$folder ;;
        esac
      fi
    done
    if [ -z "$found" ]; then LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$bundle/lib/cudnn; fi
    ;;
esac
PROJ_DATA=$bundle/share/proj PROJ_LIB=$bundle/share/proj GDAL_DATA=$bundle/share/gdal GDAL_DRIVER_PATH=disable
export LD_LIBRARY_PATH PROJ_DATA PROJ_LIB GDAL_DATA GDAL_DRIVER_PATH
OPAL_PREFIX=$bundle OPAL_LIBDIR=$bundle/lib OPAL_PKGLIBDIR=$bundle/lib/openmpi
OPAL_SYSCONFDIR=$bundle/etc OPAL_PKGDATADIR=$bundle/share/openmpi
OMPI_MCA_mca_base_component_path=$bundle/lib/openmpi
PMIX_INSTALL_PREFIX=$bundle PMIX_MCA_mca_base_component_path=$bundle/lib/pmix
export OPAL_PREFIX OPAL_LIBDIR OPAL_PKGLIBDIR OPAL_SYSCONFDIR OPAL_PKGDATADIR OMPI_MCA_mca_base_component_path
export PMIX_INSTALL_PREFIX PMIX_MCA_mca_base_component_path
# Where there is no ssh, ranks still start on this host.
if ! command -v ssh >/dev/null 2>&1; then export OMPI_MCA_plm_rsh_agent="${OMPI_MCA_plm_rsh_agent:-sh}"; fi
END
for command in segtiles mpirun; do
  cat >"$bundle/$command" <<END
#!/bin/sh
bundle=\$(cd "\${0%/*}" && pwd)
. "\$bundle/environment.sh"
exec "\$bundle/bin/$command" "\$@"
END
  chmod +x "$bundle/$command"
done
mkdir -p "$(dirname "$target")"
# One block with a large dictionary: the libraries and grids repeat one another.
tar -C "$work" --sort=name --owner=0 --group=0 -c segtiles |
  xz --lzma2="preset=${XZ_LEVEL:-6},dict=64MiB" >"$target.part"
mv "$target.part" "$target"
echo "$target: $(($(stat -c %s "$target") >> 20)) MiB, $(du -sm "$bundle" | cut -f1) MiB unpacked"
