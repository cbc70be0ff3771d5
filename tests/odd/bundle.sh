#!/usr/bin/env bash
# What tools/bundle.sh packs runs where there is nothing but glibc and a shell: in a root of these alone it says
# what it is, looks at a scene, trains on two ranks and maps the scene.
. "$(dirname "$0")/../support/program.bash"
. "$support/training.bash"

[ -f "$(dirname "$segtiles")/build.ninja" ] || [ -f "$(dirname "$segtiles")/Makefile" ] || skip "not a build folder"
ldd "$segtiles" >linked
if grep -qE 'lib(asan|ubsan)' linked; then skip "a bundle is made of a plain build"; fi
grep -q 'libmpi\.so' linked || skip "this build is linked with another MPI than Open MPI"
command -v xz >/dev/null || skip "xz is not here"

# bare COMMAND...: in the bare root, with its /proc, /dev and /tmp, and an environment of nothing
bare() {
  unshare --user --map-root-user --mount sh -c '
    mount --rbind /proc root/proc && mount --rbind /dev root/dev && cd root/home &&
    exec env -i PATH=/bin HOME=/home OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
      OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none \
      "$chroot" .. /bin/sh -c "cd /home && exec \"\$@\"" sh "$@"' sh "$@"
}
chroot=$(command -v chroot || echo /usr/sbin/chroot)
export chroot

mkdir -p root/{bin,proc,dev,tmp,home,etc}
cp -L /bin/sh root/bin/sh
for library in $(ldd /bin/sh | grep -oE '/[^ ]+'); do
  mkdir -p "root$(dirname "$library")"
  cp -L "$library" "root$library"
done
folder=$(dirname "$(ldd /bin/sh | awk '$1 ~ /^libc\.so/ {print $3}')")
for name in libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 libresolv.so.2 libutil.so.1; do
  cp -L "$folder/$name" "root$folder/$name"
done
bare sh -c 'exit 0' 2>log || skip "a root of our own cannot be entered here: $(tail -n 1 log)"
if bare "$(command -v gdalinfo || echo /usr/bin/gdalinfo)" --version >log 2>&1; then fail "the root is not bare"; fi

XZ_LEVEL=0 timeout -k 5 240 "$support/../../tools/bundle.sh" "$(dirname "$segtiles")" b.tar.xz >log 2>&1 ||
  { cat log >&2; fail "tools/bundle.sh"; }
mkdir -p root/opt
tar -C root/opt -xf b.tar.xz
rm b.tar.xz
program=/opt/segtiles/segtiles

# runs WHAT COMMAND...: in the bare root, its output in log
runs() {
  local what=$1
  shift
  bare "$@" >log 2>&1 || { cat log >&2; fail "$what"; }
}

make_job
sed -i 's|root: .*|root: /home|; s|steps: 60|steps: 4|; s|validate_every: 20, save_every: 7|validate_every: 4|' job.yaml
cp scene.tif labels.tif job.yaml root/home/
runs "--version" "$program" --version
grep -q '^segtiles [0-9]' log || { cat log >&2; fail "--version says what it is"; }
runs "info of a scene" "$program" info scene.tif
grep -q '384 x 384' log || { cat log >&2; fail "info tells the size"; }
runs "training on 2 ranks" /opt/segtiles/mpirun -n 2 "$program" train job.yaml --out run --device cpu
[ -s root/home/run/best.h5 ] || fail "training leaves a checkpoint"
runs "prediction on 2 ranks" /opt/segtiles/mpirun -n 2 "$program" predict -m run/best.h5 scene.tif --device cpu
[ -s root/home/scene_mask.tif ] || fail "prediction leaves a mask"

# The mask is the one that the program gives where it was built, and its CRS came through.
predict 1 -m root/home/run/best.h5 --device cpu --threads 1 -o here.tif scene.tif
cmp here.tif root/home/scene_mask.tif || fail "the bundle gives another mask"
gdalinfo root/home/scene_mask.tif >log
grep -q 'PROJCRS' log || fail "the mask has lost its CRS"
echo "bundle: $(du -sm root/opt/segtiles | cut -f1) MiB unpacked"
