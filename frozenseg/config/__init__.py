"""Keys, their values, and the YAML files that set them."""

from frozenseg.config.cfg_node import (
    CfgNode,
    clip_section,
    config_from_text,
    get_cfg,
    load_config,
    load_shared_config,
    protocol_differences,
    with_protocol,
)
from frozenseg.config.config_files import config_names, configs_folder, find_config
from frozenseg.config.yaml_files import file_settings

__all__ = ["CfgNode", "clip_section", "config_from_text", "get_cfg", "load_config", "load_shared_config"]
__all__ += ["config_names", "configs_folder", "file_settings", "find_config", "protocol_differences", "with_protocol"]
