"""NAFNet and PromptIR in the arithmetic of their authors' programs, as a yardstick for speed.

Images stay (B, C, H, W) contiguous in memory. The layer norms are spelled out; in PromptIR pixels move back and forth
between (B, C, H, W) and (B, H * W, C), and the attention visits all of them for each product. Convolutions, and so the
weights, are those of a copy of gendeg's network.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gendeg import NAFNet, PromptIR
from gendeg.models.blocks import ChannelNorm
from gendeg.models.nafnet import NAFBlock
from gendeg.models.promptir import PromptBlock, TransformerBlock


def replace_modules(parent: nn.Module, kind: type[nn.Module], replacement: type[nn.Module]) -> None:
    """Put `replacement(module)` in the place of every module of a kind below `parent`."""
    for name, child in parent.named_children():
        if isinstance(child, kind):
            setattr(parent, name, replacement(child))
        else:
            replace_modules(child, kind, replacement)


class ReferenceNAFNet(nn.Module):
    """NAFNet; sides must be multiples of `2 ** levels`."""

    def __init__(self, net: NAFNet) -> None:
        super().__init__()
        self.net = copy.deepcopy(net)
        replace_modules(self.net, NAFBlock, ReferenceNAFBlock)

    def forward(self, image: Tensor) -> Tensor:
        """The restored image."""
        net = self.net
        x = net.intro(image)
        skips = []
        for encoder, down in zip(net.encoders, net.downs, strict=True):
            x = encoder(x)
            skips.append(x)
            x = down(x)
        x = net.middle_blks(x)
        for up, decoder in zip(net.ups, net.decoders, strict=True):
            x = decoder(up(x) + skips.pop())
        return net.ending(x) + image


class ReferenceNAFBlock(nn.Module):
    """NAFNet's block, around the layers of gendeg's."""

    def __init__(self, block: NAFBlock) -> None:
        super().__init__()
        self.block = block
        replace_modules(block, ChannelNorm, NormOverChannels)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        block = self.block
        first, second = block.conv2(block.conv1(block.norm1(x))).chunk(2, dim=1)
        gated = first * second
        x = x + block.conv3(gated * block.sca(gated)) * block.beta
        first, second = block.conv4(block.norm2(x)).chunk(2, dim=1)
        return x + block.conv5(first * second) * block.gamma


class NormOverChannels(nn.Module):
    """NAFNet's layer norm, over the second of four dimensions."""

    def __init__(self, norm: ChannelNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        normalized = (x - mean) / (variance + self.eps).sqrt()
        return self.weight.view(1, -1, 1, 1) * normalized + self.bias.view(1, -1, 1, 1)


class ReferencePromptIR(nn.Module):
    """PromptIR; sides must be multiples of 8."""

    def __init__(self, net: PromptIR) -> None:
        super().__init__()
        self.net = copy.deepcopy(net)
        replace_modules(self.net, TransformerBlock, ReferenceTransformerBlock)
        replace_modules(self.net, PromptBlock, ReferencePromptBlock)

    def forward(self, image: Tensor) -> Tensor:
        """The restored image."""
        net = self.net
        level1 = net.encoder_level1(net.patch_embed(image))
        level2 = net.encoder_level2(net.down1_2(level1))
        level3 = net.encoder_level3(net.down2_3(level2))
        level4 = net.latent(net.down3_4(level3))
        level4 = net.reduce_noise_level3(net.noise_level3(net.prompt3(level4)))
        level3 = net.decoder_level3(net.reduce_chan_level3(torch.cat([net.up4_3(level4), level3], 1)))
        level3 = net.reduce_noise_level2(net.noise_level2(net.prompt2(level3)))
        level2 = net.decoder_level2(net.reduce_chan_level2(torch.cat([net.up3_2(level3), level2], 1)))
        level2 = net.reduce_noise_level1(net.noise_level1(net.prompt1(level2)))
        level1 = net.decoder_level1(torch.cat([net.up2_1(level2), level1], 1))
        return net.output(net.refinement(level1)) + image


class ReferenceTransformerBlock(nn.Module):
    """PromptIR's block, around the layers of gendeg's."""

    def __init__(self, block: TransformerBlock) -> None:
        super().__init__()
        self.block = block
        replace_modules(block, ChannelNorm, NormOfPixels)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        block = self.block
        x = x + self.attend(block.norm1(x))
        return x + self.feed_forward(block.norm2(x))

    def attend(self, x: Tensor) -> Tensor:
        """Attention between the channels of each head."""
        attn = self.block.attn
        heads = len(attn.temperature)
        query, key, value = (
            part.unflatten(1, (heads, -1)).flatten(3) for part in attn.qkv_dwconv(attn.qkv(x)).chunk(3, dim=1)
        )  # (B, heads, c, H * W)
        query, key = F.normalize(query, dim=-1), F.normalize(key, dim=-1)
        attention = ((query @ key.transpose(-2, -1)) * attn.temperature).softmax(dim=-1)
        return attn.project_out((attention @ value).reshape(x.shape))

    def feed_forward(self, x: Tensor) -> Tensor:
        """Gated feed-forward layer."""
        ffn = self.block.ffn
        gate, features = ffn.dwconv(ffn.project_in(x)).chunk(2, dim=1)
        return ffn.project_out(F.gelu(gate) * features)


class NormOfPixels(nn.Module):
    """PromptIR's layer norm, over the last of three dimensions: (B, C, H, W) -> (B, H * W, C) and back."""

    def __init__(self, norm: ChannelNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        pixels = x.flatten(2).transpose(1, 2)
        mean = pixels.mean(-1, keepdim=True)
        variance = pixels.var(-1, keepdim=True, correction=0)
        normalized = (pixels - mean) / torch.sqrt(variance + self.eps) * self.weight + self.bias
        return normalized.transpose(1, 2).reshape(x.shape)


class ReferencePromptBlock(nn.Module):
    """PromptIR's prompt generation, around the layers of gendeg's."""

    def __init__(self, block: PromptBlock) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        """The features with the prompt appended."""
        block = self.block
        weights = block.linear_layer(x.mean(dim=(-2, -1))).softmax(dim=1)
        prompt = (weights[..., None, None, None] * block.prompt_param.repeat(len(x), 1, 1, 1, 1)).sum(dim=1)
        prompt = F.interpolate(prompt, x.shape[-2:], mode="bilinear")
        return torch.cat([x, block.conv3x3(prompt)], 1)
