#!/bin/sh
# unet_torch.sh DUMP_NETWORK BACKEND: U-Nets of several shapes against PyTorch.
. "$(dirname "$0")/support/find_torch.sh"

# depth width bands classes n height width
while read -r depth width bands classes n height columns; do
    echo "depth $depth, width $width, $bands bands, $classes classes, $n x $height x $columns:"
    "$1" "$2" "$depth" "$width" "$bands" "$classes" "$n" "$height" "$columns" "$folder/run"
    "$python" "$here/unet_torch.py" "$folder/run"
done <<'SHAPES'
2 4 4 3 2 32 48
2 8 3 5 2 64 64
3 8 5 2 3 40 32
3 5 1 40 1 32 56
SHAPES
