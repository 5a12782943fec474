"""How each server is set up, started and watched: the floor, Freehold, Knot, NSD, gdnsd and BIND.

Each runs with one worker on one processor, or with more on all, in a session of its own, in the foreground, with nothing but authoritative answers: no
rate limit for this machine (Freehold exempts it as it is), minimal answers, no log of queries, default caches.
"""

import glob
import http.client
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

from zone_sets import query

READY_WITHIN = 240  # seconds
SOA = 6


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def work_folder():
    """Where everything lies that is made for the benches; finds our binary too."""
    work = os.environ.get("FREEHOLD_BENCH") or os.path.join(tempfile.gettempdir(), "freehold-bench")
    os.makedirs(work, exist_ok=True)
    if not Freehold.program:
        here = os.path.dirname(os.path.abspath(__file__))
        target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(here, "..", "..", "target")
        Freehold.program = os.path.abspath(os.path.join(target, "release", "freehold"))
    return work


def unlike_others(pid):
    """Every session is a scheduling group of its own: ours goes before what else runs here. Needs root."""
    try:
        write(f"/proc/{pid}/autogroup", "-15")
    except OSError:
        pass


class Server:
    """A server under test. A kind of server says `name`, `port`, `program` and how it is prepared."""

    answers = True  # the floor only pretends
    workers = 1
    import_seconds = 0.0  # before the start, if zones are imported
    import_peak = 0.0  # MiB

    def __init__(self, work, folder, zones):
        self.sources = os.path.join(folder, "zones")
        self.zones = zones
        self.folder = os.path.join(work, "run", self.name)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.process = None

    @classmethod
    def missing(cls):
        """What is not on this machine, or None."""
        return None if shutil.which(cls.program) else f"{cls.program} is not installed"

    def prepare(self):
        """Writes settings, imports zones, returns the command line."""
        raise NotImplementedError

    def path(self, name):
        return os.path.join(self.folder, name)

    def zone_file(self, zone):
        return os.path.join(self.sources, zone + ".zone")

    def start(self):
        """Prepares and starts; true once the first, the middle and the last zone are answered."""
        self.must_have_its_port()
        command = self.prepare()
        begun = time.monotonic()
        self.spawn((["taskset", "-c", "0"] if self.workers == 1 else []) + command)
        ready = self.wait_until_ready(begun)
        self.ready_seconds = time.monotonic() - begun
        return ready

    def must_have_its_port(self):
        """Another server there would answer in its place."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as fault:
                raise RuntimeError(f"127.0.0.1:{self.port} is not free: {fault}") from fault

    def spawn(self, command):
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self.folder
            )
        unlike_others(self.process.pid)

    def ask(self, message, seconds=0.05):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(seconds)
            client.connect(("127.0.0.1", self.port))
            try:
                client.send(message)
                return client.recv(65535)
            except OSError:
                return None

    def wait_until_ready(self, begun):
        probes = [query(self.zones[at], "SOA", 7) for at in (0, len(self.zones) // 2, -1)]
        while time.monotonic() < begun + READY_WITHIN:
            if self.process.poll() is not None:
                return False
            replies = [self.ask(probe) for probe in probes]
            if all(reply and reply[3] & 15 == 0 and (reply[7] or not self.answers) for reply in replies):
                return True
            time.sleep(0.005)
        return False

    def processes(self):
        """All processes of its session."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[3]) == self.process.pid:
                found.append((int(pid), int(fields[11]) + int(fields[12])))
        return found

    def processor_seconds(self, ticks):
        """Time on the processors so far. With `ticks` also of threads that have ended, but only to 10 ms."""
        processes = self.processes()
        if ticks:
            return sum(ticks for _, ticks in processes) / os.sysconf("SC_CLK_TCK")
        total = 0
        for pid, _ in processes:
            for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
                try:
                    with open(path) as file:
                        total += int(file.read().split()[0])
                except (OSError, IndexError):
                    pass  # a thread that has just ended
        return total / 1e9

    def memory(self):
        """Proportional set size in MiB: pages that processes share count once."""
        total = 0
        for pid, _ in self.processes():
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        return total / 1024

    def stop(self):
        if not self.process:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            print(f"{self.name} did not stop within 20 s of SIGTERM", flush=True)
        for pid, _ in self.processes():  # of the session that we began, no other
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None


class Floor(Server):
    """The same system calls, and a fixed answer: what no server on sockets can go below."""

    name, port, answers, program = "floor64", 5400, False, "gcc"

    def prepare(self):
        return [os.path.join(os.path.dirname(self.folder), "..", "floor"), str(self.port)]


class Freehold(Server):
    """Ourselves. The zone files are imported first, by the command, with no server running."""

    name, port = "freehold", 5380
    program = os.environ.get("FREEHOLD", "")

    @classmethod
    def missing(cls):
        return None if os.path.exists(cls.program) else f"there is no {cls.program}: cargo build --release"

    def prepare(self):
        write(
            self.path("freehold.toml"),
            f'[store]\ndirectory = "{self.path("data")}"\n[dns]\nlisten = ["127.0.0.1:{self.port}"]\n{self.dns_settings()}[admin]\nlisten = []\n',
        )
        begun = time.monotonic()
        with open(self.path("log"), "ab") as log:
            process = subprocess.Popen(self.command("zone", "import", self.sources), stdout=log, stderr=log)
            _, status, usage = os.wait4(process.pid, 0)
        self.import_seconds = time.monotonic() - begun
        self.import_peak = usage.ru_maxrss / 1024
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 3):  # 3: done, with warnings
            raise RuntimeError(f"the import failed with {process.returncode}, see {self.path('log')}")
        return self.command("serve")

    def dns_settings(self):
        return f"workers = {self.workers}\n"

    def command(self, *words):
        return [self.program, "--config", self.path("freehold.toml"), *words]


class Bare(Freehold):
    """The same without what is on as installed."""

    name, port = "bare", 5381

    def dns_settings(self):
        return super().dns_settings() + "cookies = false\n[dns.rate_limit]\nresponses_per_second = 0\n"


class Knot(Server):
    """Reads zone files at its start."""

    name, port, program = "knot", 5410, "knotd"

    def prepare(self):
        zones = "".join(f" - domain: {zone}\n" for zone in self.zones)
        write(
            self.path("knot.conf"),
            f"server:\n  rundir: {self.folder}\n  listen: 127.0.0.1@{self.port}\n"
            f"  udp-workers: {self.workers}\n  tcp-workers: {self.workers}\n  background-workers: 1\n  tcp-reuseport: on\n"
            f"log:\n - target: stderr\n   any: warning\ndatabase:\n  storage: {self.folder}\n"
            f'template:\n - id: default\n   storage: {self.sources}\n   file: "%s.zone"\n'
            f"   zonefile-sync: -1\n   zonefile-load: whole\n   journal-content: changes\n   semantic-checks: off\n"
            f"zone:\n{zones}",
        )
        return ["knotd", "-c", self.path("knot.conf")]


class Nsd(Server):
    """Reads zone files at its start."""

    name, port, program = "nsd", 5420, "nsd"

    def prepare(self):
        zones = "".join(f"zone:\n  name: {zone}\n  include-pattern: all\n" for zone in self.zones)
        write(
            self.path("nsd.conf"),
            f"server:\n  ip-address: 127.0.0.1@{self.port}\n  server-count: {self.workers}\n  reuseport: yes\n"
            f'  username: ""\n  chroot: ""\n  database: ""\n  zonesdir: "{self.sources}"\n'
            f'  zonelistfile: "{self.path("zone.list")}"\n  logfile: "{self.path("nsd.log")}"\n'
            f'  pidfile: "{self.path("nsd.pid")}"\n  xfrdfile: "{self.path("xfrd.state")}"\n  xfrdir: "{self.folder}"\n'
            f"  minimal-responses: yes\n  rrl-ratelimit: 0\n  rrl-whitelist-ratelimit: 0\n  tcp-count: 1000\n"
            f'remote-control:\n  control-enable: no\npattern:\n  name: all\n  zonefile: "%s.zone"\n{zones}',
        )
        return ["nsd", "-d", "-c", self.path("nsd.conf")]


class Gdnsd(Server):
    """Reads zone files at its start; no DNSSEC, no updates, does not follow aliases inside the answer."""

    name, port, program = "gdnsd", 5460, "gdnsd"

    def prepare(self):
        os.makedirs(self.path("etc/zones"))
        write(
            self.path("etc/config"),
            f"options => {{ listen => [ 127.0.0.1:{self.port} ], udp_threads => {self.workers}, tcp_threads => {self.workers},\n"
            f"  run_dir => {self.path('run')}, state_dir => {self.path('state')},\n"
            f"  zones_rfc1035_threads => 2, tcp_clients_per_thread => 2000 }}\n",
        )
        for zone in self.zones:
            os.symlink(self.zone_file(zone), self.path(f"etc/zones/{zone}"))
        return ["gdnsd", "-c", self.path("etc"), "start"]


class Bind(Server):
    """Reads zone files at its start; takes updates from this machine. Not part of the comparison of answers."""

    name, port, program = "bind", 5470, "named"

    def prepare(self):
        zones = ""
        for zone in self.zones:
            shutil.copy(self.zone_file(zone), self.path(zone))  # updates change it
            zones += f'zone "{zone}" {{ type primary; file "{self.path(zone)}"; allow-update {{ 127.0.0.0/8; }}; }};\n'
        write(
            self.path("named.conf"),
            f'options {{ directory "{self.folder}"; listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n'
            f'  pid-file "{self.path("named.pid")}"; session-keyfile "{self.path("session.key")}"; recursion no;\n'
            f"  minimal-responses yes; notify no; }};\ncontrols {{ }};\n{zones}",
        )
        return ["named", "-f", "-n", "1", "-c", self.path("named.conf")]


class Admin(http.client.HTTPConnection):
    """A connection to Freehold's admin socket."""

    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


ALL = [Floor, Freehold, Bare, Knot, Nsd, Gdnsd]
ALONE = [Bare]  # not compared unless it is named


def summary(reply):
    """What must be the same at every server: flags and rcode, the counts of the sections, the length."""
    if reply is None:
        return None
    flags, counts = struct.unpack(">H", reply[2:4])[0], struct.unpack(">HHHH", reply[4:12])
    return flags, counts, len(reply)
