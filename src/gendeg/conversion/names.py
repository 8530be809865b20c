"""From the parameter names of the LDM program to those of diffusers, as tables of modules."""

_UNET_ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "middle_block.0": "mid_block.resnets.0",
    "middle_block.1": "mid_block.attentions.0",
    "middle_block.2": "mid_block.resnets.1",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
UNET_LEAVES = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
VAE_LEAVES = {
    "nin_shortcut": "conv_shortcut",
    "norm": "group_norm",
    "q": "to_q",
    "k": "to_k",
    "v": "to_v",
    "proj_out": "to_out.0",
    "query": "to_q",  # of files that went through an early diffusers
    "key": "to_k",
    "value": "to_v",
    "proj_attn": "to_out.0",
}


def unet_modules(levels: int, layers: int) -> dict[str, str]:
    """Modules of an LDM UNet and what diffusers calls them.

    LDM numbers its blocks through, diffusers by level. A level of the encoder has `layers` residual blocks and a
    downsampling, one of the decoder has `layers + 1` residual blocks, the last followed by an upsampling, which LDM
    counts as second or third part of that block.

    Args:
        levels: resolutions.
        layers: `num_res_blocks`.
    """
    modules = dict(_UNET_ENDS)
    for level in range(levels):
        first = level * (layers + 1)
        for layer in range(layers):
            modules[f"input_blocks.{first + layer + 1}.0"] = f"down_blocks.{level}.resnets.{layer}"
            modules[f"input_blocks.{first + layer + 1}.1"] = f"down_blocks.{level}.attentions.{layer}"
        modules[f"input_blocks.{first + layers + 1}.0.op"] = f"down_blocks.{level}.downsamplers.0.conv"
        for layer in range(layers + 1):
            modules[f"output_blocks.{first + layer}.0"] = f"up_blocks.{level}.resnets.{layer}"
            modules[f"output_blocks.{first + layer}.1"] = f"up_blocks.{level}.attentions.{layer}"
        for part in (1, 2):
            modules[f"output_blocks.{first + layers}.{part}.conv"] = f"up_blocks.{level}.upsamplers.0.conv"
    return modules


def vae_modules(levels: int, layers: int) -> dict[str, str]:
    """Modules of an LDM autoencoder and what diffusers calls them. LDM counts the decoder's levels from the image.

    Args:
        levels: resolutions.
        layers: `num_res_blocks`.
    """
    modules = {}
    for level in range(levels):
        down, up = f"encoder.down_blocks.{level}", f"decoder.up_blocks.{levels - 1 - level}"
        for layer in range(layers + 1):
            modules[f"encoder.down.{level}.block.{layer}"] = f"{down}.resnets.{layer}"
            modules[f"encoder.down.{level}.attn.{layer}"] = f"{down}.attentions.{layer}"
            modules[f"decoder.up.{level}.block.{layer}"] = f"{up}.resnets.{layer}"
            modules[f"decoder.up.{level}.attn.{layer}"] = f"{up}.attentions.{layer}"
        modules[f"encoder.down.{level}.downsample.conv"] = f"{down}.downsamplers.0.conv"
        modules[f"decoder.up.{level}.upsample.conv"] = f"{up}.upsamplers.0.conv"
    for side in ("encoder", "decoder"):
        modules[f"{side}.mid.block_1"] = f"{side}.mid_block.resnets.0"
        modules[f"{side}.mid.attn_1"] = f"{side}.mid_block.attentions.0"
        modules[f"{side}.mid.block_2"] = f"{side}.mid_block.resnets.1"
        modules[f"{side}.norm_out"] = f"{side}.conv_norm_out"
    return modules


def rename(name: str, modules: dict[str, str], leaves: dict[str, str]) -> str:
    """Name of a parameter in diffusers.

    Args:
        name: LDM name, e.g. `"input_blocks.1.0.in_layers.0.weight"`.
        modules: new names of modules; the longest that `name` begins with counts.
        leaves: new names of what stands between the module and the last part, e.g. `"in_layers.0"`.

    Returns:
        The new name, e.g. `"down_blocks.0.resnets.0.norm1.weight"`; `name` itself if no module is named in it.
    """
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        module = modules.get(".".join(parts[:end]))
        if module is not None:
            leaf = ".".join(parts[end:-1])
            return ".".join(filter(None, [module, leaves.get(leaf, leaf), parts[-1]]))
    return name
