#!/bin/sh
# networks_torch.sh DUMP_NETWORK BACKEND: networks of several shapes against PyTorch.
. "$(dirname "$0")/support/find_torch.sh"

# network, as sg_model_parse reads it; n height width; smooth
"$python" "$here/networks_torch.py" "$1" "$2" "$folder/run" <<'SHAPES'
unet,depth=2,width=4,bands=4,classes=3 2 32 48
unet,depth=2,width=8,bands=3,classes=5 2 64 64
unet,depth=3,width=8,bands=5,classes=2 3 40 32
unet,depth=3,width=5,bands=1,classes=40 1 32 56
unet,depth=3,width=8,up=bilinear 2 40 48
unet,depth=2,width=8,separable=1,up=bilinear 2 40 48
unet,depth=2,width=8,valid=1,bands=4,classes=3 2 48 60
unet,depth=3,width=4,valid=1 1 104 112
unet,depth=1,width=8,valid=1,up=bilinear,separable=1 2 24 26
unet,depth=3,width=8,valid=1,aux=1,up=bilinear 1 112 120 smooth
unet,depth=3,width=8,aux=1,classes=4 2 40 48
unet,depth=2,width=12,norm=group,groups=4,classes=3 2 32 48
unet,depth=2,width=40,norm=group,separable=1,up=bilinear 2 24 32
unet,encoder=resnet18,width=8,bands=5 2 64 96 smooth
unet,encoder=resnet18,width=8,norm=group,aux=1 2 64 64 smooth
unet,encoder=resnet50,width=4,up=bilinear 2 64 64 smooth
deeplabv3,encoder=resnet18,width=16,bands=4,classes=5 2 96 64 smooth
deeplabv3+,encoder=resnet34,width=16,output_stride=8,rates=2:3:5,pool=64 2 64 64 smooth
deeplabv3+,encoder=resnet50,width=8,pool=-1 2 64 64 smooth
deeplabv3+,encoder=resnet101,width=8,pool=32 2 64 48 smooth
deeplabv3,encoder=resnet18,width=8,aux=1,output_stride=8 2 48 64 smooth
deeplabv3+,encoder=resnet18,width=16,norm=group,pool=64 2 64 64 smooth
pspnet,encoder=resnet18,width=16,pool=48 1 96 48 smooth
pspnet,encoder=resnet18,width=16,pool=48,norm=group,groups=8,aux=1 1 48 48 smooth
fcn,encoder=resnet18,width=16 2 48 64 smooth
fcn,encoder=resnet18,width=16,aux=1,classes=3 2 48 64 smooth
fcn8s,width=16,classes=3 2 64 64 smooth
fcn8s,width=16,norm=group 2 64 64 smooth
fcn16s,width=16 2 64 64 smooth
fcn32s,width=16 2 64 64 smooth
SHAPES
