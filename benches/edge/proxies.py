"""Proxies to compare: one class per TLS-terminating reverse proxy.

A class knows how to write its configuration, start its process, tell when it is
ready, reload it and stop it by pid.  Every proxy gets the same job:

  https://127.0.0.1:PORT   TLS 1.2 + 1.3, ECDSA P-256 leaf + intermediate, h1 and h2
  http://127.0.0.1:PORT+1  plain HTTP/1.1
  Host: app.test           -> upstream (keep-alive pool); any other host -> refused
  X-Forwarded-For / -Proto / -Host set towards the upstream
  log=True                 access log to a file; log=False none
  many=True                10,000 further host names, each with its own certificate
"""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

PROXY_CPU = {0}


def apps(first):
    """The addresses of one app that is there three times, this one first."""
    port = first.split(":")[1]
    return [first, f"127.0.0.2:{port}", f"127.0.0.3:{port}"]


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    return path


class Proxy:
    name = "?"
    can_log = True
    can_many = True
    can_reload = True
    index = 0

    def __init__(self, work, upstream):
        self.work = os.path.join(work, self.name)
        self.certs = os.path.join(work, "certs")
        self.upstream = upstream
        self.https = 8410 + 10 * self.index
        self.http = self.https + 1
        self.admin = self.https + 2
        self.proc = None
        os.makedirs(self.work, exist_ok=True)

    # ---- to override
    def available(self):
        return shutil.which(self.name) is not None

    def version(self):
        return ""

    def command(self, log, many):
        raise NotImplementedError

    def reload(self):
        raise NotImplementedError

    def prepare(self, many):
        """What takes long and is done once."""

    # ---- common
    def many_hosts(self):
        d = os.path.join(self.certs, "many")
        return sorted(f[:-4] for f in os.listdir(d)) if os.path.isdir(d) else []

    def start(self, log=False, many=False, timeout=90):
        cmd = self.command(log, many)
        self.out = open(os.path.join(self.work, "stdout.log"), "ab")
        err = open(os.path.join(self.work, "stderr.log"), "ab")
        env = dict(os.environ, HOME=self.work, XDG_DATA_HOME=self.work, XDG_CONFIG_HOME=self.work)
        t0 = time.monotonic()
        self.proc = subprocess.Popen(cmd, stdout=self.out, stderr=err, stdin=subprocess.DEVNULL, env=env,
                                     preexec_fn=lambda: os.sched_setaffinity(0, PROXY_CPU))
        host = self.many_hosts()[-1] if many else "app.test"
        while time.monotonic() - t0 < timeout:
            if self.proc.poll() is not None:
                raise RuntimeError(f"{self.name} exited with {self.proc.returncode}; see {self.work}/stderr.log")
            if self.ready(host):
                return time.monotonic() - t0
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"{self.name} was not ready in {timeout} s")

    def ready(self, host="app.test"):
        try:
            c = ssl.create_default_context(cafile=os.path.join(self.certs, "ca.pem"))
            with socket.create_connection(("127.0.0.1", self.https), timeout=2) as s:
                with c.wrap_socket(s, server_hostname=host) as t:
                    t.sendall(f"GET /64 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                    return b" 200 " in t.recv(4096)
        except (OSError, ssl.SSLError):
            return False

    def tree(self):
        """All pids of the proxy: its first process and every descendant."""
        kids = {}
        for p in os.listdir("/proc"):
            if p.isdigit():
                try:
                    with open(f"/proc/{p}/stat") as f:
                        kids.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(p))
                except OSError:
                    pass
        todo, seen = [self.proc.pid], []
        while todo:
            p = todo.pop()
            seen.append(p)
            todo += kids.get(p, [])
        return seen

    def cpu(self):
        """CPU seconds (user + system) used so far by the tree, from the scheduler's own nanosecond count."""
        ns = 0
        for p in self.tree():
            try:
                for t in os.listdir(f"/proc/{p}/task"):
                    with open(f"/proc/{p}/task/{t}/schedstat") as f:
                        ns += int(f.read().split()[0])
            except OSError:
                pass
        return ns / 1e9

    def memory(self):
        """(PSS, RSS) of the tree in KiB."""
        pss = rss = 0
        for p in self.tree():
            try:
                with open(f"/proc/{p}/smaps_rollup") as f:
                    t = f.read()
                pss += int(re.search(r"^Pss:\s+(\d+)", t, re.M).group(1))
                rss += int(re.search(r"^Rss:\s+(\d+)", t, re.M).group(1))
            except (OSError, AttributeError):
                pass
        return pss, rss

    def stop(self):
        if not self.proc:
            return
        pids = self.tree()
        self.proc.send_signal(signal.SIGTERM)
        try:
            self.proc.wait(3)
        except subprocess.TimeoutExpired:
            pass
        for p in pids:
            try:
                with open(f"/proc/{p}/stat") as f:
                    if f.read().rsplit(")", 1)[1].split()[0] != "Z":
                        os.kill(p, signal.SIGKILL)
            except OSError:
                pass
        self.proc.wait()
        self.proc = None


class Nginx(Proxy):
    name, index = "nginx", 0

    def version(self):
        return subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr.strip()

    def command(self, log, many):
        c, w = self.certs, self.work
        to_app = """proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection $conn_up;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;"""
        loc = f"""location / {{
      proxy_pass http://app;
      {to_app}
    }}
    location /kept/ {{
      proxy_pass http://app;
      proxy_cache kept;
      {to_app}
    }}
    location /balanced/ {{
      proxy_pass http://balanced;
      {to_app}
    }}
    location /ruled/ {{
      proxy_pass http://app;
      allow 127.0.0.0/8;
      deny all;
      limit_req zone=ruled burst=1000000 nodelay;
      proxy_hide_header Server;
      add_header Strict-Transport-Security max-age=31536000;
      add_header X-Content-Type-Options nosniff;
      add_header Referrer-Policy strict-origin-when-cross-origin;
      add_header X-Frame-Options SAMEORIGIN;
      {to_app}
    }}"""
        extra = ""
        if many:
            extra = "\n".join(f"server {{ listen 127.0.0.1:{self.https} ssl http2; server_name {h}; ssl_certificate {c}/many/{h}.pem; "
                              f"ssl_certificate_key {c}/many/{h}.pem; include {w}/loc.conf; }}" for h in self.many_hosts())
        write(f"{w}/loc.conf", loc)
        al = f"access_log {w}/access.log combined buffer=64k flush=1s;" if log else "access_log off;"
        cfg = f"""daemon off;
pid {w}/nginx.pid;
error_log {w}/error.log error;
worker_processes 1;
worker_rlimit_nofile 20000;
worker_shutdown_timeout 30s;
events {{ worker_connections 18000; }}
http {{
  {al}
  server_tokens off;
  sendfile on; tcp_nopush on; tcp_nodelay on;
  keepalive_timeout 300s; keepalive_requests 100000000;
  client_max_body_size 0; proxy_request_buffering off; client_body_buffer_size 128k;
  proxy_max_temp_file_size 0; proxy_buffer_size 16k; proxy_buffers 16 16k; proxy_busy_buffers_size 64k;
  proxy_read_timeout 300s; proxy_send_timeout 300s;
  client_body_temp_path {w}/t1; proxy_temp_path {w}/t2; fastcgi_temp_path {w}/t3; uwsgi_temp_path {w}/t4; scgi_temp_path {w}/t5;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache shared:SSL:10m; ssl_session_tickets on; ssl_session_timeout 1d;
  http2_max_concurrent_streams 256;
  server_names_hash_max_size 65536; server_names_hash_bucket_size 128;
  map $http_upgrade $conn_up {{ default upgrade; '' ''; }}
  proxy_cache_path {w}/kept levels=1:2 keys_zone=kept:10m max_size=100m;
  limit_req_zone $binary_remote_addr zone=ruled:10m rate=1000000r/s;
  upstream balanced {{ least_conn; {" ".join(f"server {app};" for app in apps(self.upstream))} keepalive 512; keepalive_requests 100000000; keepalive_timeout 300s; }}
  upstream app {{ server {self.upstream}; keepalive 512; keepalive_requests 100000000; keepalive_timeout 300s; }}
  server {{ listen 127.0.0.1:{self.https} ssl http2 default_server backlog=4096; listen 127.0.0.1:{self.http} default_server backlog=4096;
    server_name _; ssl_certificate {c}/app.pem; ssl_certificate_key {c}/app.pem; return 421; }}
  server {{ listen 127.0.0.1:{self.https} ssl http2; listen 127.0.0.1:{self.http}; server_name app.test;
    ssl_certificate {c}/app.pem; ssl_certificate_key {c}/app.pem; include {w}/loc.conf; }}
  {extra}
}}
"""
        return ["nginx", "-c", write(f"{w}/nginx.conf", cfg), "-p", w, "-e", f"{w}/error.log"]

    def reload(self):
        self.proc.send_signal(signal.SIGHUP)


class Haproxy(Proxy):
    name, index = "haproxy", 1

    def version(self):
        return subprocess.run(["haproxy", "-v"], capture_output=True, text=True).stdout.splitlines()[0]

    def command(self, log, many):
        c, w = self.certs, self.work
        hosts = ["app.test"] + (self.many_hosts() if many else [])
        write(f"{w}/hosts.map", "".join(f"{h} app\n" for h in hosts))
        g = f"log stdout format raw local0 info" if log else ""
        d = "log global\n  option httplog" if log else "no log"
        cfg = f"""global
  nbthread 1
  maxconn 7500
  tune.ssl.cachesize 100000
  tune.listener.multi-queue on
  hard-stop-after 30s
  stats socket {w}/admin.sock mode 600 level admin expose-fd listeners
  ssl-default-bind-options ssl-min-ver TLSv1.2
  {g}
defaults
  mode http
  {d}
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
  timeout tunnel 300s
  option splice-auto
frontend fe
  bind 127.0.0.1:{self.https} ssl crt {c}/app.pem {f'crt {c}/many' if many else ''} alpn h2,http/1.1 backlog 4096
  bind 127.0.0.1:{self.http} backlog 4096
  option forwardfor
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  use_backend kept if {{ path_beg /kept/ }}
  use_backend balanced if {{ path_beg /balanced/ }}
  use_backend ruled if {{ path_beg /ruled/ }}
  use_backend %[req.hdr(host),field(1,:),lower,map({w}/hosts.map,deny)]
backend app
  http-reuse always
  server s1 {self.upstream} pool-max-conn -1 pool-purge-delay 300s
cache kept
  total-max-size 64
  max-age 3600
backend kept
  http-request cache-use kept
  http-response cache-store kept
  http-reuse always
  server s1 {self.upstream} pool-max-conn -1 pool-purge-delay 300s
backend balanced
  balance leastconn
  http-reuse always
  {chr(10).join(f"  server s{number} {app} pool-max-conn -1 pool-purge-delay 300s" for number, app in enumerate(apps(self.upstream))).strip()}
backend ruled
  stick-table type ip size 100k expire 1m store http_req_rate(1s)
  http-request deny unless {{ src 127.0.0.0/8 }}
  http-request track-sc0 src
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 1000000 }}
  http-response del-header Server
  http-response set-header Strict-Transport-Security max-age=31536000
  http-response set-header X-Content-Type-Options nosniff
  http-response set-header Referrer-Policy strict-origin-when-cross-origin
  http-response set-header X-Frame-Options SAMEORIGIN
  http-reuse always
  server s1 {self.upstream} pool-max-conn -1 pool-purge-delay 300s
backend deny
  http-request deny deny_status 421
"""
        cfg = cfg.replace("deny_status 421", "deny_status 403")  # 2.6 offers no 421
        return ["haproxy", "-W", "-f", write(f"{w}/haproxy.cfg", cfg), "-p", f"{w}/pid"]

    def reload(self):
        self.proc.send_signal(signal.SIGUSR2)


class Caddy(Proxy):
    name, index = "caddy", 2

    def version(self):
        return "caddy " + subprocess.run(["caddy", "version"], capture_output=True, text=True).stdout.strip()

    def command(self, log, many):
        c, w = self.certs, self.work
        hosts = ["app.test"] + (self.many_hosts() if many else [])
        routes = [{"match": [{"host": hosts}], "handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": self.upstream}],
                   "transport": {"protocol": "http", "compression": False, "keep_alive": {"enabled": True, "max_idle_conns": 1024, "max_idle_conns_per_host": 512, "idle_timeout": "300s"}}}],
                   "terminal": True}, {"handle": [{"handler": "static_response", "status_code": 421}]}]
        srv = lambda port, tls: dict({"listen": [f"127.0.0.1:{port}"], "protocols": ["h1", "h2"], "idle_timeout": "300s", "automatic_https": {"disable": True}, "routes": routes},
                                     **({"tls_connection_policies": [{"default_sni": "app.test"}]} if tls else {}), **({"logs": {}} if log else {}))
        logs = {"default": {"level": "ERROR", "writer": {"output": "stderr"}}}
        if log:
            logs["access"] = {"writer": {"output": "file", "filename": f"{w}/access.log", "roll": False}, "include": ["http.log.access"]}
            logs["default"]["exclude"] = ["http.log.access"]
        certs = {"load_files": [{"certificate": f"{c}/app.crt", "key": f"{c}/app.key"}]}
        if many:
            certs["load_folders"] = [f"{c}/many"]
        self.cfg = {"admin": {"listen": f"127.0.0.1:{self.admin}"}, "logging": {"logs": logs},
                    "apps": {"http": {"http_port": self.http, "https_port": self.https, "servers": {"s": srv(self.https, True), "p": srv(self.http, False)}},
                             "tls": {"certificates": certs}}}
        return ["caddy", "run", "--config", write(f"{w}/caddy.json", json.dumps(self.cfg))]

    def reload(self):
        import urllib.request
        r = urllib.request.Request(f"http://127.0.0.1:{self.admin}/load", data=json.dumps(self.cfg).encode(),
                                   headers={"Content-Type": "application/json", "Cache-Control": "must-revalidate"})
        urllib.request.urlopen(r, timeout=20).read()


class Socket(http.client.HTTPConnection):
    """HTTP over a Unix socket."""
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Freehold(Proxy):
    """Routes and certificates are kept in the store: they are brought once, and each start has them. A reload is fifty changes
    of a route through the admin API, one after the other."""
    name, index = "freehold", 9
    program = os.environ.get("FREEHOLD") or os.path.join(
        os.environ.get("CARGO_TARGET_DIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "target"),
        "release", "freehold")
    changes = 0

    def available(self):
        return os.path.exists(self.program)

    def settings(self, data, log):
        return write(f"{self.work}/edge.toml", f"""
[store]
directory = "{data}"
[dns]
listen = ["127.0.0.1:0"]
workers = 1
[admin]
socket = "{self.work}/s"
listen = []
[edge]
listen_http = ["127.0.0.1:{self.http}"]
listen_https = ["127.0.0.1:{self.https}"]
workers = 1
default_server_name = "app.test"
[edge.clients]
connections_max = 100000
connections_per_client_max = 100000
[edge.access_log]
format = "{'combined' if log else 'off'}"
file = "{self.work}/access.log"
[log]
level = "error"
""")

    def prepare(self, many):
        for name, hosts in [("one", ["app.test"]), ("many", ["app.test", *self.many_hosts()])][:2 if many else 1]:
            data = f"{self.work}/data-{name}"
            if not os.path.exists(data):
                shutil.rmtree(f"{data}.new", ignore_errors=True)
                self.bring(f"{data}.new", hosts)
                os.rename(f"{data}.new", data)

    def bring(self, data, hosts):
        server = subprocess.Popen([self.program, "serve", "--config", self.settings(data, False)])
        try:
            while not os.path.exists(f"{self.work}/s"):
                if server.poll() is not None:
                    raise RuntimeError("freehold does not start")
                time.sleep(0.02)
            for number, host in enumerate(hosts, 1):
                with open(f"{self.certs}/" + ("app.pem" if host == "app.test" else f"many/{host}.pem")) as file:
                    blocks = ["-----BEGIN " + block for block in file.read().split("-----BEGIN ")[1:]]
                chain = "".join(block for block in blocks if "CERTIFICATE" in block[:30])
                key = "".join(block for block in blocks if "PRIVATE KEY" in block[:40])
                self.ask("POST", "/v1/certificate-imports", {"chain": chain, "key": key})
                self.ask("PUT", f"/v1/routes/{host}", {"plain_http": True, "apps": [f"http://{self.upstream}"]})
                if host == "app.test":
                    self.bring_featured()
                if number % 1000 == 0:
                    print(f"{number} routes", flush=True)
        finally:
            server.terminate()
            server.wait()

    def bring_featured(self):
        """The routes that do more than lead to an app."""
        ruled = {"access": {"allow": ["127.0.0.0/8"]}, "rate_limit": {"requests": 1000000, "seconds": 1}, "security_headers": True,
                 "headers": {"response": {"remove": ["Server"]}}}
        for path, found, options in [("kept", [self.upstream], {"cache": True}),
                                     ("balanced", apps(self.upstream), {"balance": {"by": "least_connections"}}),
                                     ("ruled", [self.upstream], ruled)]:
            self.ask("PUT", f"/v1/routes/app.test%2F{path}", {"apps": [f"http://{app}" for app in found], "options": options})

    def ask(self, method, path, body):
        connection = Socket(f"{self.work}/s")
        connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:400]}")
        connection.close()

    def command(self, log, many):
        return [self.program, "serve", "--config", self.settings(f"{self.work}/data-{'many' if many else 'one'}", log)]

    def reload(self):
        apps = [f"http://{self.upstream}", {"url": "http://127.0.0.1:9", "drained": True}]
        for _ in range(50):
            self.changes += 1
            self.ask("PUT", "/v1/routes/app.test", {"plain_http": True, "apps": apps[:1 + self.changes % 2]})


ALL = [Nginx, Haproxy, Caddy, Freehold]
