"""Runs Hotshoe as a back-end of crowsnest 5, which starts the cameras of 3D printers.

Copy this file to crowsnest/components/streamer/ in the folder of crowsnest. Then `mode: hotshoe` in a section [cam]
starts Hotshoe with the port, device, resolution, max_fps, v4l2ctl, no_proxy and custom_flags of that section.
"""

import asyncio
import shlex

from ... import utils
from .streamer import Streamer


class Hotshoe(Streamer):
    keyword = "hotshoe"
    binary_names = ["hotshoe"]
    # Found in PATH.
    binary_paths = []

    async def execute(self, lock: asyncio.Lock):
        process, _, _ = await utils.execute_command(
            shlex.join(command(self.binary_path, self.parameters)),
            info_log_pre="hotshoe: ",
            info_log_func=self.log_debug,
            # Hotshoe writes its log to standard error.
            error_log_pre="hotshoe: ",
            error_log_func=self.log_debug,
        )
        # Lets crowsnest start the next camera.
        if lock.locked():
            lock.release()
        return process


def command(binary, parameters):
    """Returns the command line for the parameters of a section."""
    width, height = parameters["resolution"]
    camera = [parameters["device"], f"size={width}x{height}", f"fps={parameters['max_fps']}"]
    for setting in filter(None, parameters["v4l2ctl"].split(",")):
        name, _, value = setting.partition("=")
        camera.append(f"control={name.strip()}:{value.strip()}")
    listen = f":{parameters['port']}" if parameters["no_proxy"] else f"127.0.0.1:{parameters['port']}"
    # Several instances would compete for the port of the admin listener.
    arguments = ["--camera", ",".join(camera), "--listen", listen, "--admin", "off"]
    if parameters["no_proxy"]:
        # The page of the printer is then on another port.
        arguments += ["--allow-origin", "*"]
    return [binary, *arguments, *shlex.split(parameters["custom_flags"])]


def load_streamer():
    return Hotshoe.binary_names, Hotshoe.binary_paths


def load_component(name, config_section):
    return Hotshoe(name, config_section)
