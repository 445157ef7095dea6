"""Config: keys with defaults and meanings, values with their origins, and the YAML files that set them."""

from frozenseg.config.cfg_node import CfgNode, get_cfg
from frozenseg.config.config_files import config_names, configs_folder, find_config
from frozenseg.config.loading import (
    config_from_text,
    load_config,
    load_shared_config,
    protocol_differences,
    values_from_text,
    with_protocol,
)
from frozenseg.config.yaml_files import OPTIONS, file_settings

__all__ = ["OPTIONS", "CfgNode", "config_from_text", "config_names", "configs_folder", "file_settings", "find_config"]
__all__ += ["get_cfg", "load_config", "load_shared_config", "protocol_differences", "values_from_text", "with_protocol"]
