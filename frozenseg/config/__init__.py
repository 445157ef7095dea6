"""Keys, their values, and the YAML files that set them."""

from frozenseg.config.cfg_node import CfgNode, clip_section, get_cfg, load_config, load_shared_config, with_protocol

__all__ = ["CfgNode", "clip_section", "get_cfg", "load_config", "load_shared_config", "with_protocol"]
