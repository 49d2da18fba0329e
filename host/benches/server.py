"""The server that the scripts in this folder measure."""

import os
import subprocess
import threading
from pathlib import Path

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Server:
    """A running server. It listens once the constructor has returned.

    `options` are those of the command line, and `cache` is the folder of its compile cache. `admin`, `plain` and `tls`
    are the addresses of its listeners, or empty strings.
    """

    def __init__(self, hotshoe: str, options: list, cache: str, **popen):
        environment = {**os.environ, "XDG_CACHE_HOME": cache}
        self.process = subprocess.Popen(
            [hotshoe, *options], env=environment, stderr=subprocess.PIPE, text=True, **popen
        )
        self.admin = self.plain = self.tls = ""
        missing = options.count("--listen")
        for line in self.process.stderr:
            address = line.split("://")[-1].split("/")[0].strip()
            if "admin at http://" in line:
                self.admin = address
            elif "open http://" in line:
                self.plain = address
                missing -= 1
            elif "open https://" in line:
                self.tls = address
                missing -= 1
            if missing == 0:
                break
        # Nobody reads the log, but a full pipe would block it.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def cpu_ms(self) -> float:
        """The processor time so far (proc_pid_stat(5))."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / CLOCK_TICKS

    def memory(self) -> int:
        """The resident memory in bytes (proc_pid_statm(5))."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * PAGE_BYTES

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
