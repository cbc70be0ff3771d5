"""The networks of src/model in PyTorch, written from the papers and torchvision's conventions, with
modules named so that a parameter bears the name that it has in a checkpoint."""
import torch
import torch.nn as nn
import torch.nn.functional as F


activate = F.relu  # or what a test puts in its place
groups = 0  # most groups of a group norm; 0: batch norm. build sets it


def make_norm(channels):
    if not groups:
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(max(g for g in range(1, groups + 1) if channels % g == 0), channels)


class Activation(nn.Module):
    def forward(self, x):
        return activate(x)


def layer(module, number, inputs, outputs, kernel=1, dilation=1, padded=True):
    """conv{number}, bn{number} of module: convolution without bias, norm."""
    setattr(module, f"conv{number}", nn.Conv2d(inputs, outputs, kernel, bias=False, dilation=dilation,
                                               padding=kernel // 2 * dilation if padded else 0))
    setattr(module, f"bn{number}", make_norm(outputs))


def run(module, number, x):
    return activate(getattr(module, f"bn{number}")(getattr(module, f"conv{number}")(x)))


def upsample(x, size):
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class Block(nn.Module):
    """He et al. 2016, figure 5; the 3x3 convolution of a bottleneck has the stride."""

    def __init__(self, inputs, channels, bottleneck, stride, dilation, project):
        super().__init__()
        outputs = channels * (4 if bottleneck else 1)
        kernels = (1, 3, 1) if bottleneck else (3, 3)
        widths = (channels, channels, outputs) if bottleneck else (channels, channels)
        self.count = len(kernels)
        for i, kernel in enumerate(kernels):
            strided = stride if i == (1 if bottleneck else 0) else 1
            d = dilation if kernel == 3 else 1
            setattr(self, f"conv{i + 1}", nn.Conv2d(inputs if i == 0 else widths[i - 1], widths[i], kernel,
                                                    strided, kernel // 2 * d, d, bias=False))
            setattr(self, f"bn{i + 1}", make_norm(widths[i]))
        self.downsample = None
        if project:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                                            make_norm(outputs))

    def forward(self, x):
        past = self.downsample(x) if self.downsample else x
        for i in range(1, self.count):
            x = run(self, i, x)
        x = getattr(self, f"bn{self.count}")(getattr(self, f"conv{self.count}")(x))
        return activate(x + past)


class ResNet(nn.Module):
    """forward gives the levels of stride 2, 4, 8, 16, 32, or what the output stride leaves of them."""
    BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}

    def __init__(self, bands, layers, output_stride):
        super().__init__()
        bottleneck = layers >= 50
        self.conv1 = nn.Conv2d(bands, 64, 7, 2, 3, bias=False)
        self.bn1 = make_norm(64)
        inputs, now, dilation = 64, 4, 1
        self.channels = [64]
        for stage, blocks in enumerate(self.BLOCKS[layers]):
            stride = 2 if stage else 1
            before = dilation
            if now * stride > output_stride:
                dilation, stride = dilation * stride, 1
            now *= stride
            made = []
            for i in range(blocks):
                made.append(Block(inputs, 64 << stage, bottleneck, stride if i == 0 else 1,
                                  before if i == 0 else dilation, i == 0 and (stage > 0 or bottleneck)))
                inputs = (64 << stage) * (4 if bottleneck else 1)
            setattr(self, f"layer{stage + 1}", nn.Sequential(*made))
            self.channels.append(inputs)

    def forward(self, x):
        levels = [activate(self.bn1(self.conv1(x)))]
        x = F.max_pool2d(levels[0], 3, 2, 1)
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
            levels.append(x)
        return levels


def resnet(o, bands, stride):
    return ResNet(bands, int(o.get("encoder", "resnet50")[6:]), stride)


class Stage(nn.Module):
    def __init__(self, inputs, outputs, separable, valid, first=False):
        super().__init__()
        self.separable = [separable and not first, separable]
        for i in (1, 2):
            channels = inputs if i == 1 else outputs
            if self.separable[i - 1]:
                setattr(self, f"depthwise{i}", nn.Conv2d(channels, channels, 3, padding=0 if valid else 1,
                                                         groups=channels, bias=False))
            layer(self, i, channels, outputs, 1 if self.separable[i - 1] else 3, padded=not valid)

    def forward(self, x):
        for i in (1, 2):
            x = run(self, i, getattr(self, f"depthwise{i}")(x) if self.separable[i - 1] else x)
        return x


class AuxHead(nn.Module):
    """torchvision's FCNHead on layer3, as its segmentation networks with aux_loss have it."""

    def __init__(self, channels, classes):
        super().__init__()
        layer(self, 1, channels, channels // 4, 3)
        self.head = nn.Conv2d(channels // 4, classes, 1)

    def forward(self, x, size):
        return upsample(self.head(run(self, 1, x)), size)


def aux_of(o, encoder, classes):
    return AuxHead(encoder.channels[3], classes) if o.get("aux") == "1" else None


def see(network, levels, image):
    """The levels, after the auxiliary head has seen layer3."""
    network.aux_logits = [network.aux(levels[3], image.shape[2:])] if network.aux else []
    return levels


class UNet(nn.Module):
    def __init__(self, o, bands, classes):
        super().__init__()
        width, separable = int(o.get("width", 32)), o.get("separable") == "1"
        self.valid, aux = o.get("valid") == "1", o.get("aux") == "1"
        self.bilinear, self.depth = o.get("up") == "bilinear", int(o.get("depth", 4))
        self.encoder = None
        if "encoder" in o:
            self.encoder, self.depth = resnet(o, bands, 32), 5
            skips, bottom = [0] + self.encoder.channels[:4], self.encoder.channels[4]
        else:
            skips = [width << level for level in range(self.depth)]
            bottom = width << self.depth
            for level in range(self.depth + 1):
                setattr(self, f"encoder{level}", Stage(width << (level - 1) if level else bands, width << level,
                                                       separable, self.valid, level == 0))
        for level in reversed(range(self.depth)):
            if not self.bilinear:
                setattr(self, f"up{level}", nn.ConvTranspose2d(bottom, width << level, 2, 2))
                bottom = width << level
            setattr(self, f"decoder{level}", Stage(bottom + skips[level], width << level, separable,
                                                   self.valid))
            bottom = width << level
            if aux and level:
                side = nn.Module()
                side.head = nn.Conv2d(bottom, classes, 1)
                setattr(self, f"aux{level}", side)
        self.head = nn.Conv2d(width, classes, 1)

    def down(self, x):
        if self.encoder:
            levels = self.encoder(x)
            return [None] + levels[:4], levels[4]
        skips = []
        for level in range(self.depth):
            skips.append(getattr(self, f"encoder{level}")(x))
            x = F.max_pool2d(skips[-1], 2)
        return skips, getattr(self, f"encoder{self.depth}")(x)

    def frame(self, y, image):
        """What the published network gives for all but the first 4 rows and columns (tiles are to be
        multiples of 2^depth, and 572 is 4 less), cut to the pixels of the output, back in its place."""
        if not self.valid:
            return y
        side = 6 * 2 ** self.depth - 4
        first = side + 4 % 2 ** self.depth
        spare = [(have - whole + first + side) // 2 for have, whole in zip(y.shape[2:], image.shape[2:])]
        y = y[:, :, spare[0]:y.shape[2] - spare[0], spare[1]:y.shape[3] - spare[1]]
        y = F.pad(y, (first, side, first, side))
        assert y.shape[2:] == image.shape[2:]
        return y

    def crop(self, skip, x):
        beside = [(a - b) // 2 for a, b in zip(skip.shape[2:], x.shape[2:])]
        return skip[:, :, beside[0]:skip.shape[2] - beside[0], beside[1]:skip.shape[3] - beside[1]]

    def forward(self, image):
        self.aux_logits = []
        first = 4 % 2 ** self.depth if self.valid else 0
        skips, x = self.down(image[:, :, first:, first:])
        for level in reversed(range(self.depth)):
            size = [2 * n for n in x.shape[2:]]
            x = upsample(x, size) if self.bilinear else getattr(self, f"up{level}")(x)
            if skips[level] is not None:
                x = torch.cat([x, self.crop(skips[level], x)], 1)
            x = getattr(self, f"decoder{level}")(x)
            if hasattr(self, f"aux{level}"):
                side = getattr(self, f"aux{level}").head(x)
                self.aux_logits.append(self.frame(upsample(side, [n << level for n in side.shape[2:]]), image))
        return self.frame(self.head(x), image)


class ImagePooling(nn.Module):
    """Published order: mean, then 1x1 convolution. A mean over a window leaves out what lies beyond."""

    def __init__(self, inputs, width, pool, stride):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(inputs, width, 1, bias=False), make_norm(width)
        self.radius = None if pool < 0 else pool // stride // 2

    def forward(self, x):
        mean = x.mean((2, 3), keepdim=True) if self.radius is None else \
            F.avg_pool2d(x, 2 * self.radius + 1, 1, self.radius, count_include_pad=False)
        return upsample(activate(self.bn(self.conv(mean))), x.shape[2:])


class Pyramid(nn.Module):
    def __init__(self, inputs, width, rates, pool, stride):
        super().__init__()
        layer(self, 0, inputs, width)
        for i, rate in enumerate(rates):
            layer(self, i + 1, inputs, width, 3, rate)
        self.image = ImagePooling(inputs, width, pool, stride)
        self.project = nn.Module()
        layer(self.project, 1, 5 * width, width)

    def forward(self, x):
        x = torch.cat([run(self, i, x) for i in range(4)] + [self.image(x)], 1)
        return run(self.project, 1, x)


class DeepLab(nn.Module):
    def __init__(self, o, bands, classes, plus):
        super().__init__()
        stride, width = int(o.get("output_stride", 16)), int(o.get("width", 256))
        rates = [int(r) for r in o["rates"].split(":")] if "rates" in o else \
            [r * 16 // stride for r in (6, 12, 18)]
        self.encoder, self.plus = resnet(o, bands, stride), plus
        self.aspp = Pyramid(self.encoder.channels[4], width, rates, int(o.get("pool", 512)), stride)
        self.decoder = nn.Module()
        layer(self.decoder, 1, width + 48 if plus else width, width, 3)
        if plus:
            self.decoder.low = nn.Module()
            layer(self.decoder.low, 1, self.encoder.channels[1], 48)
            layer(self.decoder, 2, width, width, 3)
        self.head = nn.Conv2d(width, classes, 1)
        self.aux = aux_of(o, self.encoder, classes)

    def forward(self, image):
        levels = see(self, self.encoder(image), image)
        x = self.aspp(levels[4])
        if self.plus:
            x = torch.cat([upsample(x, levels[1].shape[2:]), run(self.decoder.low, 1, levels[1])], 1)
        x = run(self.decoder, 1, x)
        if self.plus:
            x = run(self.decoder, 2, x)
        return upsample(self.head(x), image.shape[2:])


class FCN(nn.Module):
    """On ResNet."""

    def __init__(self, o, bands, classes):
        super().__init__()
        self.encoder = resnet(o, bands, int(o.get("output_stride", 8)))
        width = int(o.get("width", self.encoder.channels[4] // 4))
        self.decoder = nn.Module()
        layer(self.decoder, 1, self.encoder.channels[4], width, 3)
        self.head = nn.Conv2d(width, classes, 1)
        self.aux = aux_of(o, self.encoder, classes)

    def forward(self, image):
        x = see(self, self.encoder(image), image)[4]
        return upsample(self.head(run(self.decoder, 1, x)), image.shape[2:])


class VGG(nn.Module):
    def __init__(self, bands):
        super().__init__()
        layers = []
        for count, channels in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
            for _ in range(count):
                layers += [nn.Conv2d(bands, channels, 3, padding=1), make_norm(channels), Activation()]
                bands = channels
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)

    def forward(self, x):
        pools = []
        for part in self.features:
            x = part(x)
            if isinstance(part, nn.MaxPool2d):
                pools.append(x)
        return pools


class FCNVGG(nn.Module):
    def __init__(self, o, bands, classes, finest):
        super().__init__()
        width = int(o.get("width", 4096))
        self.encoder, self.finest = VGG(bands), finest
        self.fc6, self.fc7 = nn.Conv2d(512, width, 7, padding=3), nn.Conv2d(width, width, 1)
        self.score5 = nn.Conv2d(width, classes, 1)
        for level in range(finest, 5):
            setattr(self, f"score{level}", nn.Conv2d({4: 512, 3: 256}[level], classes, 1))
            setattr(self, f"up{level}", nn.ConvTranspose2d(classes, classes, 4, 2, 1))

    def forward(self, image):
        pools = self.encoder(image)
        x = self.score5(activate(self.fc7(activate(self.fc6(pools[4])))))
        for level in range(4, self.finest - 1, -1):
            x = getattr(self, f"up{level}")(x) + getattr(self, f"score{level}")(pools[level - 1])
        return upsample(x, image.shape[2:])


class PSPNet(nn.Module):
    def __init__(self, o, bands, classes):
        super().__init__()
        self.stride, self.pool = int(o.get("output_stride", 8)), int(o.get("pool", 384))
        self.encoder = resnet(o, bands, self.stride)
        channels = self.encoder.channels[4]
        self.pyramid, self.decoder = nn.Module(), nn.Module()
        for bins in (1, 2, 3, 6):
            layer(self.pyramid, bins, channels, channels // 4)
        width = int(o.get("width", 512))
        layer(self.decoder, 1, 2 * channels, width, 3)
        self.head = nn.Conv2d(width, classes, 1)
        self.aux = aux_of(o, self.encoder, classes)

    def forward(self, image):
        x = see(self, self.encoder(image), image)[4]
        parts = [x]
        for bins in (1, 2, 3, 6):
            # of each square of `pool` pixels so many bins along a side, as adaptive pooling gives
            mean = F.adaptive_avg_pool2d(x, [n * self.stride // self.pool * bins for n in x.shape[2:]])
            parts.append(upsample(run(self.pyramid, bins, mean), x.shape[2:]))
        x = run(self.decoder, 1, torch.cat(parts, 1))
        return upsample(self.head(x), image.shape[2:])


def build(text):
    """The network that sg_model_parse makes of the text."""
    global groups
    net, *options = text.split(",")
    o = dict(option.split("=") for option in options)
    groups = int(o.get("groups", 32)) if o.get("norm") == "group" else 0
    bands, classes = int(o.pop("bands", 3)), int(o.pop("classes", 2))
    makers = {"unet": UNet, "pspnet": PSPNet, "fcn": FCN,
              "deeplabv3": lambda *a: DeepLab(*a, False), "deeplabv3+": lambda *a: DeepLab(*a, True),
              "fcn32s": lambda *a: FCNVGG(*a, 5), "fcn16s": lambda *a: FCNVGG(*a, 4),
              "fcn8s": lambda *a: FCNVGG(*a, 3)}
    return makers[net](o, bands, classes)
